"""What access control answers for a request that may reach Jupyter.

Tested by tests/access/test_access_control.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.access.token_guesses import TokenAttempt
from proxy.rules.head import Field, RequestHead


@dataclass(slots=True, eq=False)
class LoginAttempt:
    """Jupyter is about to check a password or a token.

    Attributes:
        address: The address that a failure counts for.
        login: The path of a login form; empty if there is none.
        token_attempt: The token that Jupyter checks.
    """

    address: str
    login: bytes = b""
    token_attempt: TokenAttempt | None = None


@dataclass(frozen=True, slots=True)
class Allow:
    """The request may reach Jupyter.

    Attributes:
        fields: Add these to the head of the response.
        attempt: Pass it to ``on_response_head`` and ``on_response_end`` of ``AccessControl``.
        head: Forward this head instead of the one that was received.
    """

    fields: tuple[Field, ...] = ()
    attempt: LoginAttempt | None = None
    head: RequestHead | None = None


ALLOW = Allow()
