"""Why a JupyterHub, or a server of one of its users, answered 401 or 403.

It knows its public names itself, and checks no Host; it has logins, roles and scopes of its own.
Tested by tests/symptoms/test_forbidden.py.
"""

from __future__ import annotations

from proxy.rules.credentials import tokens

from .evidence import Evidence, shown_target
from .explanation import Explanation, explained


def refused_by_a_hub(evidence: Evidence) -> Explanation:
    """What is missing, or who knows what is."""
    head = evidence.sent or evidence.received
    because = f"Jupyter answered {evidence.status} to {shown_target(head)}"
    if not head.values(b"cookie") and not tokens(head):
        sentence = f"{because}: this client sent neither Cookie nor token, so nobody has logged in."
        return explained("login-missing", sentence, "Cookie")
    sentence = (
        f"{because}: the Hub, or the server of this route, does not let this user or this token "
        "do that. Its log says why: a login that has expired or is another user's, or a role "
        "without the scope."
    )
    return explained("login-refused", sentence)
