"""The address that is examined, taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from proxy.errors import UsageError
from proxy.rules.authority import can_be_looked_up

PAGES = frozenset({"lab", "tree", "notebooks", "login", "api", "files", "terminals", "doc"})
"""Pages of Jupyter that stand behind its base_url; people paste the address they see."""

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a Jupyter is reached.

    Attributes:
        host: A name, or an address without brackets; ``localhost`` for a Unix socket.
        base: Jupyter's base_url without the slash at its end; empty for ``/``.
        socket: The path of a Unix socket; empty for TCP.
    """

    scheme: str
    host: str
    port: int
    base: str = ""
    socket: str = ""

    def __str__(self) -> str:
        """As people name it."""
        return f"unix:{self.socket}" if self.socket else self.url

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """As a browser sends it in Host: without the scheme's default port (RFC 9110 4.2.3)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """As a browser sends it in Origin."""
        return f"{self.scheme}://{self.authority}"

    @property
    def url(self) -> str:
        return f"{self.origin}{self.base}/"

    @property
    def loopback(self) -> bool:
        """Whether it cannot leave this machine."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def read_target(text: str) -> tuple[Target, str]:
    """Read an address as it is typed or pasted; returns the token in its query, too.

    Raises:
        UsageError: It is no address of a web server.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise UsageError(f"{text}: a Unix socket needs an absolute path, as unix:/run/lab.sock")
        # With the scheme's own port Host is a bare localhost, which Jupyter takes for local.
        return Target("http", "localhost", _DEFAULT_PORTS["http"], socket=path), ""
    typed = text if "//" in text else f"https://{text}"
    try:
        parts = urlsplit(typed)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"The address cannot be read: {error}. {_EXAMPLE}") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise UsageError(f"The address must begin with https:// or http://. {_EXAMPLE}")
    if "@" in parts.netloc:
        raise UsageError("The address may not hold a user or a password; they would be shown.")
    host = parts.hostname
    if not can_be_looked_up(host):
        raise UsageError(f"The address has a name that no server can have: {host}. {_EXAMPLE}")
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    target = Target(parts.scheme, host, port or _DEFAULT_PORTS[parts.scheme], _base_of(parts.path))
    return target, parse_qs(parts.query).get("token", [""])[0]


_EXAMPLE = "Example: labgate doctor https://lab.example.org"


def _base_of(path: str) -> str:
    """The base_url in the path of a page."""
    parts = path.split("/")
    for number, part in enumerate(parts):
        if number and part in PAGES:
            return "/".join(parts[:number])
    return path.rstrip("/")
