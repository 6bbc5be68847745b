"""What two routes cannot have at once: the same place, or two logins on one host; pure.

Tested by tests/config/test_routes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from proxy.rules.site import WebOrigin


class RouteClaim(NamedTuple):
    """What one route takes.

    Attributes:
        key: Where that is written, for the message.
        origins: Its public origins.
        path: Its path at each of them, with a slash at both ends.
        htpasswd: The users who may log in; None lets everybody through to Jupyter.
    """

    key: str
    origins: tuple[WebOrigin, ...]
    path: str
    htpasswd: Path | None


def check_conflicts(claims: Sequence[RouteClaim]) -> None:
    """Compare each with each.

    Raises:
        ValueError: Two cannot be served together; names both keys.
    """
    for first, second in combinations(claims, 2):
        same = [origin for origin in second.origins if origin in first.origins]
        if same and first.path == second.path:
            raise ValueError(
                f"{second.key}: {same[0].authority}{second.path} is the place of {first.key} "
                "already; give one of them another domain or path"
            )
        hosts = {origin.host for origin in first.origins}
        shared = [origin.host for origin in second.origins if origin.host in hosts]
        if shared and first.htpasswd != second.htpasswd:
            raise ValueError(
                f"{second.key} htpasswd: {_login(second)}, and {first.key} {_login(first, 'has')} "
                f"on the same host {shared[0]}. A browser has one session for a host, and pages "
                "there can use each other's: give both the same htpasswd, or each a domain of its "
                "own"
            )


def _login(claim: RouteClaim, verb: str = "") -> str:
    text = str(claim.htpasswd) if claim.htpasswd is not None else "none"
    return f"{verb} {text}".lstrip()
