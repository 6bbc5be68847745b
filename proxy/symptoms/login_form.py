"""The form of Jupyter's login, which is asked for before anybody has logged in.

Tested by tests/symptoms/test_login_form.py.
"""

from __future__ import annotations

from .evidence import Evidence, cookie, path_of
from .explanation import Explanation, explained
from .forbidden import perhaps_host

_XSRF_WORDS = (b"'_xsrf' argument missing", b"XSRF cookie does not match")


def login_form(evidence: Evidence) -> Explanation | None:
    """A login that was sent without ``_xsrf``; None for anything else.

    Nobody who logs in has a login yet: what is missing is ``_xsrf``, once as a cookie and once in
    the form (tornado's ``check_xsrf_cookie``).
    """
    head = evidence.sent or evidence.received
    login = f"{evidence.site.base_path}login".encode("utf-8", "surrogateescape")
    if head.method != b"POST" or path_of(head) != login or evidence.status != 403:
        return None
    # Jupyter's page of errors says it far below its beginning. A wrong password gets 401; what else
    # answers 403 is the check of Host.
    sure = any(words in evidence.content for words in _XSRF_WORDS)
    if not sure and evidence.site.pass_through is not None:
        return None
    perhaps = "" if sure else perhaps_host(head)
    if cookie(head, b"_xsrf") is None:
        sentence = (
            "Jupyter answered 403 because this login came without the cookie _xsrf, which its "
            "login page sets: a program has to GET that page first and send the cookie back, with "
            "its value as the form's _xsrf; from a browser a proxy in front takes it away."
        )
        return explained("xsrf-lost", sentence + perhaps, "Cookie")
    sentence = (
        "Jupyter answered 403 because the form's _xsrf of this login is missing, or is not the "
        "cookie _xsrf: a program has to send the cookie's value in the form, too; a browser's page "
        "is older than the cookie, so open the login page again."
    )
    return explained("xsrf-lost", sentence + perhaps, "Cookie")
