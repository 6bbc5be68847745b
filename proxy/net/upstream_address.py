"""Where Jupyter is: ``http://host:port``, ``https://host:port`` or ``unix:/path``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from proxy.errors import UsageError
from proxy.net.upstream_tls import UpstreamTls
from proxy.rules.authority import can_be_looked_up, host_with_port
from proxy.rules.redaction import redact_target
from proxy.rules.site import WebOrigin

DEFAULT_TLS = UpstreamTls()
"""The authorities of the system are trusted, and there is no client certificate."""

P = TypeVar("P", bound=asyncio.BaseProtocol)

_EXAMPLES = "write http://127.0.0.1:8888 or unix:/run/jupyter.sock"
_PAGE = re.compile(r"/(?:lab|tree|login|notebooks|doc)(?:/.*)?$")
"""Where the address of a page goes on behind Jupyter's base_url."""
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """One Jupyter server.

    Attributes:
        host: Name or IP address; ``localhost`` for a Unix socket.
        port: TCP port; 80 for a Unix socket, so that Host is a bare ``localhost``,
            which Jupyter takes for local.
        path: The Unix socket's path, or None.
        base_path: Jupyter's ``base_url``, with a slash at both ends.
        tls: How to speak TLS to it; None for plain HTTP.
    """

    host: str
    port: int
    path: str | None = None
    base_path: str = "/"
    tls: UpstreamTls | None = None

    @property
    def origin(self) -> WebOrigin:
        """What Host and Origin are rewritten to."""
        return WebOrigin("http" if self.tls is None else "https", self.host.lower(), self.port)

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        """Connect a protocol that ``factory`` makes.

        Raises:
            OSError: With the reason; ``ssl.SSLError`` is one.
        """
        loop = asyncio.get_running_loop()
        if self.path is not None:
            return await loop.create_unix_connection(factory, self.path)
        context = self.tls.context() if self.tls is not None else None
        return await loop.create_connection(factory, self.host, self.port, ssl=context)

    def check(self) -> None:
        """Load the files that TLS to it needs.

        Raises:
            StartError: One is missing or not usable, with the remedy.
        """
        if self.tls is not None:
            self.tls.check()

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"{self.origin}{self.base_path.rstrip('/')}"


DEFAULT_UPSTREAM = UpstreamAddress("127.0.0.1", 8888)
"""The address where Jupyter listens by default."""


def upstream_from_json(fields: Mapping[str, Any]) -> UpstreamAddress:
    """The address whose fields were sent as JSON."""
    tls = fields.get("tls")
    return UpstreamAddress(**{**fields, "tls": None if tls is None else UpstreamTls(*tls)})


def parse_upstream(url: str, tls: UpstreamTls = DEFAULT_TLS) -> UpstreamAddress:
    """Read an ``--upstream``; a path in it is Jupyter's ``base_url``.

    Args:
        url: What was written.
        tls: What holds for ``https``.

    Raises:
        UsageError: With the part at fault and the remedy.
    """
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        path = "/" + path.lstrip("/") if path.startswith("//") else path
        if not path.startswith("/") or path == "/":
            raise UsageError(
                f"upstream {url!r}: a Unix socket needs an absolute path; {_EXAMPLES}."
            )
        return UpstreamAddress("localhost", 80, path)
    # People paste the address that Jupyter prints, with its token, and errors go into logs.
    shown = redact_target(url.encode("utf-8", "replace")).decode("utf-8", "replace")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"upstream {shown!r}: {error}; {_EXAMPLES}.") from None
    if problem := _problem(parts, port):
        raise UsageError(f"upstream {shown!r}: {problem}; {_EXAMPLES}.")
    base = f"/{parts.path.strip('/')}/".replace("//", "/")
    if parts.scheme == "https":
        return UpstreamAddress(parts.hostname or "", port or 443, None, base, tls)
    return UpstreamAddress(parts.hostname or "", port or 80, None, base)


def _problem(parts: SplitResult, port: int | None) -> str:
    if parts.scheme not in ("http", "https"):
        return "the scheme must be http, https or unix"
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        return "the host is missing or malformed"
    if not can_be_looked_up(parts.hostname):
        return "a part of the host between two dots is empty or has more than 63 characters"
    if parts.username is not None or parts.query or parts.fragment:
        base = _PAGE.sub("/", parts.path).rstrip("/")
        address = f"{parts.scheme}://{host_with_port(parts.hostname, port)}{base}"
        return f"it may only name a host, a port and Jupyter's base_url: give {address}"
    if port == 0:
        return "port 0 cannot be connected to"
    return ""
