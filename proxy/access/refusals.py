"""The refusals of access control: statuses 401, 429 and 503."""

from __future__ import annotations

import math

from proxy.rules.decision import Refuse
from proxy.rules.head import Field, RequestHead

BASIC_CHALLENGE: Field = (b"WWW-Authenticate", b'Basic realm="Jupyter", charset="UTF-8"')
BUSY = Refuse(
    429,
    "lockout",
    "Other logins from this address are being checked; try again in a moment.",
    fields=((b"Retry-After", b"1"),),
)
OVERLOADED = Refuse(
    503,
    "basic-auth",
    "Too many people log in at this moment; try again soon.",
    fields=((b"Retry-After", b"5"),),
)


def challenge(head: RequestHead, sentence: str) -> Refuse:
    """401: the browser asks for a user and password (RFC 7617 section 2)."""
    values = head.values(b"authorization")
    shown = b", ".join(values) if values else None
    return Refuse(401, "basic-auth", sentence, "Authorization", shown, fields=(BASIC_CHALLENGE,))


def wrong_password(head: RequestHead) -> Refuse:
    """401, the same for an unknown user and a wrong password."""
    return challenge(head, "The user or the password is wrong.")


def too_many_failures(seconds: float) -> Refuse:
    """429 with Retry-After (RFC 6585 section 4, RFC 9110 section 10.2.3)."""
    left = max(1, math.ceil(seconds))
    if left <= 90:
        again = f"{left} second{'s' if left > 1 else ''}"
    else:
        again = f"{math.ceil(left / 60)} minutes"
    sentence = f"Too many failed logins from this address; try again in {again}."
    return Refuse(429, "lockout", sentence, fields=((b"Retry-After", b"%d" % left),))
