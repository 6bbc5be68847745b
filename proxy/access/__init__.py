"""Access control: labgate's own login, and limits on guessing passwords and tokens.

In the order a request meets them:

- ``access_control``     decides whether a request may reach Jupyter
- ``allow``              the answer if it may
- ``password_login``     labgate's own login
- ``session``            the session cookie, issued after a password was right
- ``revoked_sessions``   sessions that were logged out
- ``basic``              parses ``Authorization: Basic`` (RFC 7617)
- ``password_verifier``  checks passwords in threads, and remembers the right ones for minutes
- ``htpasswd``           the file of users, reloaded when it changes
- ``jupyter_login``      logins to Jupyter itself
- ``token_guesses``      counts the wrong tokens of an address
- ``lockout``            counts failed logins by address: delays the next ones, then locks out
- ``login_state``        the same for a labgate that takes over
- ``refusals``           the responses 401, 429 and 503

Without an htpasswd file only logins to Jupyter are limited.
"""
