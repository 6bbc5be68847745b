"""Where a route leads, as the Hub writes it: a URL."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from proxy.net.upstream_address import UpstreamAddress
from proxy.net.upstream_tls import UpstreamTls
from proxy.rules.authority import can_be_looked_up

UNIX_SCHEMES = ("http+unix", "unix+http")
EXAMPLE = "write for example http://10.0.0.7:8888"

_PLAIN = re.compile(
    r"http://[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*\.?:(?:[1-9][0-9]{0,3}|[1-5][0-9]{4})/?"
)
"""Most targets: nothing can be wrong with one that looks like this."""


class RouteTarget(NamedTuple):
    """A parsed target.

    Attributes:
        address: What to connect to.
        path: What comes before the path of each request; empty for nothing.
        query: What comes before the query of each request.
    """

    address: UpstreamAddress
    path: bytes = b""
    query: bytes = b""


def check_target(url: str, tls: UpstreamTls) -> None:
    """Check that ``parse_target`` will read it: a Hub adds thousands, and few are ever used.

    Raises:
        ValueError: As it does.
    """
    if _PLAIN.fullmatch(url) is None:
        parse_target(url, tls)


def parse_target(url: str, tls: UpstreamTls) -> RouteTarget:
    """Read a target: ``http://``, ``https://`` or ``http+unix://`` with an escaped path.

    Args:
        url: What the Hub wrote.
        tls: What holds for ``https``.

    Raises:
        ValueError: What is wrong, in a sentence for who wrote it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        path, query = parts.path.encode("ascii"), parts.query.encode("ascii")
    except ValueError as error:
        raise ValueError(f"target {url!r}: {error}; {EXAMPLE}.") from None
    path = b"" if path == b"/" else path
    if parts.scheme in UNIX_SCHEMES:
        socket_path = unquote(parts.netloc)
        if not socket_path.startswith("/"):
            raise ValueError(
                f"target {url!r}: the host must be an escaped absolute path; write for example "
                "http+unix://%2Frun%2Fuser.sock"
            )
        return RouteTarget(UpstreamAddress("localhost", 80, socket_path), path, query)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"target {url!r}: the scheme must be http, https or http+unix; {EXAMPLE}.")
    if not host or port == 0:
        raise ValueError(f"target {url!r}: a host, and a port other than 0, are needed; {EXAMPLE}.")
    if not can_be_looked_up(host):
        raise ValueError(
            f"target {url!r}: a part of the host between two dots is empty, has more than 63 "
            f"characters, or characters that no name has; {EXAMPLE}."
        )
    if parts.scheme == "https":
        return RouteTarget(UpstreamAddress(host, port or 443, tls=tls), path, query)
    return RouteTarget(UpstreamAddress(host, port or 80), path, query)
