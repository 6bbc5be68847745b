"""What a proxy in front of labgate took away or changed, seen in the head that comes in.

A browser's fields agree with each other. Where they do not, somebody between it and labgate
changed one of them, and the sentence names the directive that mostly does.
"""

from __future__ import annotations

from collections.abc import Iterator

from proxy.rules.authority import host_only, port_only
from proxy.rules.head import RequestHead
from proxy.rules.origin import is_websocket
from proxy.rules.site import Site

from .evidence import (
    SAFE_METHODS,
    authority_of,
    first,
    from_own_page,
    means_websocket,
    shown,
    value_of,
)
from .explanation import Explanation, explained


def in_front(head: RequestHead, site: Site) -> Iterator[Explanation]:
    """Everything that a proxy in front did to this request, most serious first."""
    for look in (_upgrade, _host, _origin, _cookie):
        found = look(head, site)
        if found is not None:
            yield found


def _upgrade(head: RequestHead, _: Site) -> Explanation | None:
    """Upgrade and Connection of a WebSocket's handshake (RFC 6455 section 4.1)."""
    if not means_websocket(head):
        return None
    connection = shown(head, b"connection")
    if not head.values(b"upgrade"):
        with_it = f", and Connection: {connection}" if connection else ""
        sentence = (
            f"The request for a WebSocket came without Upgrade{with_it}: the proxy in front takes "
            "it away and has to put it back (nginx: proxy_set_header Upgrade $http_upgrade)."
        )
        return explained("websocket-not-upgraded", sentence, "Upgrade")
    if "upgrade" not in connection.lower():
        option = f"with Connection: {connection}" if connection else "without Connection"
        sentence = (
            f"The request for a WebSocket came with Upgrade, but {option}: the proxy in front has "
            "to send Connection: upgrade (nginx: proxy_set_header Connection $connection_upgrade)."
        )
        return explained("websocket-not-upgraded", sentence, "Connection")
    if head.version < (1, 1):
        sentence = (
            "The request for a WebSocket came in HTTP/1.0, which has no Upgrade: the proxy in "
            "front has to speak HTTP/1.1 (nginx: proxy_http_version 1.1; it speaks 1.0 by itself)."
        )
        return explained("websocket-not-upgraded", sentence, "Upgrade")
    if not is_websocket(head):
        sentence = (
            f"The request for a WebSocket came with Upgrade: {shown(head, b'upgrade')}, where "
            "websocket alone is taken: the proxy in front has to pass the browser's on (nginx: "
            "proxy_set_header Upgrade $http_upgrade)."
        )
        return explained("websocket-not-upgraded", sentence, "Upgrade")
    return None


def _host(head: RequestHead, site: Site) -> Explanation | None:
    """Host, against the Origin or Referer that the browser wrote beside it."""
    hosts = head.values(b"host")
    if len(hosts) > 1:
        sentence = (
            f"The request came with {len(hosts)} Host fields, {shown(head, b'host')}: two lines of "
            "the proxy in front each set one."
        )
        return explained("duplicate-host", sentence, "Host")
    host = first(hosts)
    page = _public_page(head, site)
    if not host or page is None or _same(host, page, site):
        return None
    name = shown(head, b"host")
    if host_only(host) == host_only(page.encode("latin-1")) and not port_only(host):
        sentence = (
            f"Host came as {name}, while the page is at {page}: the proxy in front sends it "
            "without the port (nginx: $host; $http_host has the port)."
        )
    else:
        sentence = (
            f"Host came as {name}, while the page is at {page}: the proxy in front rewrites Host "
            "and not Origin (nginx sets Host to $proxy_host by itself; $http_host is the "
            "browser's)."
        )
    return explained("host-refused", sentence, "Host")


def _same(host: bytes, page: str, site: Site) -> bool:
    """Whether both name one public origin, in whatever case and with or without its port."""
    known = site.authorities.get(host.lower())
    other = page.lower().encode("latin-1")
    return host.lower() == other or (known is not None and known == site.authorities.get(other))


def _public_page(head: RequestHead, site: Site) -> str | None:
    """The authority of the page that sent it, if it is one of this site's.

    Public origins are; and where the browser says same-origin, Origin is, whatever it is.
    """
    for name in (b"origin", b"referer"):
        value = value_of(head, name)
        if value is None:
            continue
        scheme, _, _ = value.partition(b"://")
        authority = authority_of(value)
        known = scheme.lower() + b"://" + authority.lower().encode("latin-1") in site.origins
        if known or (authority and from_own_page(head)):
            return authority
    return None


def _origin(head: RequestHead, _: Site) -> Explanation | None:
    """Origin, which browsers send with every POST, PUT, PATCH and DELETE, and WebSocket."""
    if head.values(b"origin"):
        return None
    if from_own_page(head) and head.method not in SAFE_METHODS:
        sentence = (
            f"A browser sent {head.method.decode('latin-1')} without Origin, which browsers never "
            "do: the proxy in front takes it away, and with it the protection against other sites."
        )
        return explained("cross-origin-open", sentence, "Origin")
    return None


def _cookie(head: RequestHead, _: Site) -> Explanation | None:
    """Cookie, of which every page of Jupyter's has at least _xsrf."""
    if head.values(b"cookie") or head.values(b"authorization"):
        return None
    called = from_own_page(head) and head.values(b"sec-fetch-mode") in ((b"cors",), (b"websocket",))
    if not called:
        return None
    sentence = (
        "A call of Jupyter's own page came without Cookie: the proxy in front takes it away, or "
        "the browser keeps no cookies of this site."
    )
    return explained("cookies-lost", sentence, "Cookie")
