"""The heads of one exchange, read as Jupyter reads them.

Tested by tests/symptoms/test_explain.py and tests/symptoms/test_forbidden.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from proxy.rules.credentials import pairs
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead, ResponseHead
from proxy.rules.origin import has_option
from proxy.rules.redaction import printable, redact, redact_target
from proxy.rules.site import Site

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
"""Methods without Jupyter's checks of Origin and XSRF (``JupyterHandler.prepare``)."""

_WEBSOCKET_ENDS = (b"/channels", b"/api/events/subscribe")
_WEBSOCKET_PATHS = (b"/terminals/websocket/", b"/lsp/ws/", b"/api/collaboration/room/")

_API_PATHS = (b"api/", b"lab/api/", b"lsp/")
"""Below the base_url."""
_PROXY_FIELDS = (b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The heads and the result of one exchange.

    Attributes:
        site: The site.
        received: The request head as labgate received it.
        status: The status that the client got.
        refusal: What labgate refused, or in observe mode would have refused.
        sent: The request head as Jupyter got it; None when it got none.
        answered: Jupyter's response head; None without one.
        content: The beginning of an error's content, as Jupyter sent it, where it is known.
        outcome: As in the access log: why there is no answer of Jupyter's.
    """

    site: Site
    received: RequestHead
    status: int
    refusal: Refuse | None = None
    sent: RequestHead | None = None
    answered: ResponseHead | None = None
    content: bytes = b""
    outcome: str = ""


def path_of(head: RequestHead) -> bytes:
    """The path, still encoded."""
    return head.target.partition(b"?")[0]


def value_of(head: RequestHead, name: bytes) -> bytes | None:
    """The value of a field (lower-case name); repeated ones joined; None without one."""
    values = head.values(name)
    return b", ".join(values) if values else None


def shown(head: RequestHead, name: bytes) -> str:
    """A field's value for a sentence, without secrets."""
    value = value_of(head, name)
    return "" if value is None else printable(redact(name, value))


def shown_target(head: RequestHead) -> str:
    """The request target for a sentence, without secrets."""
    return printable(redact_target(head.target))


def authority_of(value: bytes) -> str:
    """The authority in a value of Origin or Referer, as Jupyter's ``urlparse(…).netloc``."""
    try:
        return urlsplit(value.decode("latin-1")).netloc
    except ValueError:
        return ""


def origin_counts(head: RequestHead, base: str) -> bool:
    """Whether Jupyter compares Origin with Host: in its API for reading, too.

    ``APIHandler.prepare`` asks for all but OPTIONS, ``JupyterHandler`` with the XSRF cookie for
    what changes something. JupyterLab sends no Origin with a GET of its own page.
    """
    if head.method not in SAFE_METHODS:
        return True
    path = path_of(head).removeprefix(base.encode("utf-8", "surrogateescape"))
    return head.method != b"OPTIONS" and (path + b"/").startswith(_API_PATHS)


def origin_matches_host(head: RequestHead) -> bool:
    """``JupyterHandler.check_origin``: the lower-cased Origin against Host as it is."""
    origin, host = value_of(head, b"origin"), value_of(head, b"host")
    if origin is None or host is None:
        return True
    return authority_of(origin.lower()) == host.decode("latin-1")


def referer_matches_host(head: RequestHead) -> bool:
    """``JupyterHandler.check_referer``: it must be there, and its authority equal Host."""
    referer, host = value_of(head, b"referer"), value_of(head, b"host")
    if referer is None or host is None:
        return False
    return authority_of(referer) == host.decode("latin-1")


def means_websocket(head: RequestHead) -> bool:
    """Whether the client wanted a WebSocket, even if the fields that say so were taken away."""
    if head.method != b"GET":
        return False
    path = path_of(head)
    return (
        bool(head.values(b"sec-websocket-key"))
        or path.endswith(_WEBSOCKET_ENDS)
        or any(part in path for part in _WEBSOCKET_PATHS)
    )


def upgrades(head: RequestHead) -> bool:
    """Whether tornado's ``WebSocketHandler.get`` would take it for a handshake."""
    upgrade = value_of(head, b"upgrade")
    return upgrade is not None and upgrade.lower() == b"websocket" and _connection_upgrades(head)


def _connection_upgrades(head: RequestHead) -> bool:
    return any(has_option(value, b"upgrade") for value in head.values(b"connection"))


def cookie(head: RequestHead, name: bytes) -> bytes | None:
    """The value of a cookie; None without it."""
    return next((value for key, value in pairs(head.values(b"cookie")) if key == name), None)


def has_login_cookie(head: RequestHead) -> bool:
    """Whether there is a cookie named as Jupyter names its login (``get_cookie_name``)."""
    return any(name.startswith(b"username-") for name, _ in pairs(head.values(b"cookie")))


def from_own_page(head: RequestHead) -> bool:
    """Whether a browser says that a page of this site sent it (Fetch Metadata)."""
    return head.values(b"sec-fetch-site") == (b"same-origin",)


def from_a_page(head: RequestHead) -> bool:
    """Whether it has fields that only a browser adds to what a page asks for (Fetch Metadata)."""
    return any(head.values(name) for name in (b"sec-fetch-site", b"origin"))


def passed_a_proxy(head: RequestHead) -> bool:
    """Whether it shows signs of a proxy: its fields, or HTTP/1.0, which nginx speaks by itself."""
    return head.version == (1, 0) or any(head.values(name) for name in _PROXY_FIELDS)


def first(values: Sequence[bytes]) -> bytes:
    """The first value; empty without one."""
    return values[0] if values else b""
