"""A captured request, perhaps edited, that is to be sent again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.head import Field

MAX_CONTENT_BYTES = 1024 * 1024
UNCONFIRMED_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 section 9.2.1: they change nothing; TRACE is not sent."""
METHODS = (*UNCONFIRMED_METHODS, "POST", "PUT", "PATCH", "DELETE")

_TARGET = re.compile(r"/[\x21-\x7e]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NOT_SENT = frozenset(
    {
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
        *("sec-websocket-extensions", "sec-websocket-key", "sec-websocket-version"),
    }
)
_REDACTED = "[redacted]"


class ReplayError(ValueError):
    """What is to be sent is malformed."""


class ReplayRefused(Exception):  # noqa: N818  reads as what happened
    """A well-formed request is not sent."""


class AnotherRoute(ReplayRefused):
    """It leads to another route than that of its exchange, to which nobody has agreed.

    Attributes:
        route: The name of that route; empty if it leads to none.
    """

    def __init__(self, message: str, route: str) -> None:
        super().__init__(message)
        self.route = route


class Destination(NamedTuple):
    """Where a captured request belongs, so that nobody else's Jupyter gets it.

    Attributes:
        authority: The public Host of a request that the rules see.
        address: Of its Jupyter; None if there is none, or none yet.
        target: What that Jupyter gets of the request target.
        launched: Whether it is the one that labgate launched, if it launched one.
        route: The name of its route where there are several.
        nowhere: Why there is no address.
    """

    authority: str
    address: UpstreamAddress | None
    target: str
    launched: bool = True
    route: str = ""
    nowhere: str = "Jupyter's address is not known yet"


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What is sent.

    Attributes:
        method: One of ``METHODS``.
        target: In origin-form.
        fields: Without those that frame the content or belong to one connection.
        content: The content; empty for none.
        through_rules: Whether labgate's rules see it first, as if a client had sent it.
        token: Jupyter's, as it was typed in; empty for none.
        use_own_token: Send the token of the Jupyter that labgate launched.
        confirmed: Whether somebody agreed to a method that changes something.
        route: The name of the route to which somebody agreed; None for that of the exchange.
    """

    method: str
    target: str
    fields: tuple[Field, ...]
    content: bytes
    through_rules: bool
    token: str
    use_own_token: bool
    confirmed: bool
    route: str | None = None


def parse_replay(given: Any) -> ReplayRequest:
    """Read what the page sends.

    Raises:
        ReplayError: A part is malformed; the message names it.
    """
    if not isinstance(given, Mapping):
        raise ReplayError("a request is an object with method, target, fields")
    method, target = given.get("method"), given.get("target")
    if method not in METHODS:
        raise ReplayError(f"method: one of {', '.join(METHODS)}")
    if not isinstance(target, str) or not _TARGET.fullmatch(target):
        raise ReplayError("target: a path that begins with /, without spaces")
    if _REDACTED in target:
        raise ReplayError("target: a secret stood at [redacted]; replace it, or drop the parameter")
    content = given.get("content", "")
    token = given.get("token", "")
    if not isinstance(content, str) or len(content) > MAX_CONTENT_BYTES:
        raise ReplayError(f"content: text of at most {MAX_CONTENT_BYTES} characters")
    if not isinstance(token, str) or not _VALUE.fullmatch(token):
        raise ReplayError("token: text in one line")
    route = given.get("route")
    if route is not None and not isinstance(route, str):
        raise ReplayError("route: the name of a route")
    return ReplayRequest(
        method=method,
        target=target,
        fields=_fields(given.get("fields", [])),
        content=content.encode("utf-8"),
        through_rules=given.get("through") == "rules",
        token=token,
        use_own_token=given.get("own_token") is True,
        confirmed=given.get("confirmed") is True,
        route=route,
    )


def _fields(given: Any) -> tuple[Field, ...]:
    if not isinstance(given, list):
        raise ReplayError("fields: a list of names and values")
    fields: list[Field] = []
    for one in given:
        if not (isinstance(one, list) and len(one) == 2 and all(isinstance(p, str) for p in one)):
            raise ReplayError("fields: each is a name and a value")
        name, value = one
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ReplayError(f"fields: {name!r} is malformed")
        # What was never captured cannot be sent.
        if name.lower() not in _NOT_SENT and _REDACTED not in value:
            fields.append((name.encode("latin-1"), value.encode("latin-1")))
    return tuple(fields)
