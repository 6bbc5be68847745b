"""Who gets in: labgate's own passwords, and the brake on guessing any.

In the order a request meets them:

- ``gate``      the question every allowed request is asked: may it go on to Jupyter
- ``session``   the cookie that stands for a password once it was right
- ``revoked_sessions``   the sessions that somebody logged out of
- ``basic``     user and password out of ``Authorization: Basic`` (RFC 7617)
- ``token_guesses``    Jupyter's tokens: different wrong ones count like failed logins
- ``lockout``   failed logins of an address: first slower, then shut out for a while
- ``password_verifier``    a password against its hash, off the event loop, remembered for minutes
- ``htpasswd``  the file of users, read again when it changes
- ``refusals``  what somebody is told who does not get in: 401, 429

Without an htpasswd file only logins to Jupyter itself are looked at, for ``lockout``.
"""
