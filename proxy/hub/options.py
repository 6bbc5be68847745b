"""What the command line of ``labgate hub`` says. ``cli.hub_options`` reads it.

Tested by tests/cli/test_hub_options.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from proxy.net.upstream_tls import UpstreamTls
from proxy.rules.head import Field
from proxy.rules.site import WebOrigin

_ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104  of the machine, one for each family


class Endpoint(NamedTuple):
    """Where something listens.

    Attributes:
        addresses: Names or addresses of this machine.
        port: The port; None for a Unix socket.
        socket: The path of a Unix socket; None for addresses and a port.
        optional: Of the addresses those that this machine may lack.
    """

    addresses: tuple[str, ...]
    port: int | None
    socket: Path | None = None
    optional: tuple[str, ...] = ()

    def overlaps(self, other: Endpoint) -> bool:
        """Whether the two cannot both be listened on."""
        if self.socket is not None or other.socket is not None:
            return self.socket == other.socket
        if not self.port or self.port != other.port:
            return False
        return any(
            one == another
            or (
                (one in _ANY_ADDRESS or another in _ANY_ADDRESS)
                and (":" in one) == (":" in another)
            )
            for one in self.addresses
            for another in other.addresses
        )

    def __str__(self) -> str:
        if self.socket is not None:
            return f"unix:{self.socket}"
        host = self.addresses[0]
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class TlsFiles(NamedTuple):
    """A certificate to show, and whose certificates to ask for.

    Attributes:
        cert: PEM file, full chain.
        key: PEM file.
        ca: PEM file with the authorities of client certificates; None for the system's.
        passphrase: Of the key; empty for none.
        require_cert: Refuse clients without a valid certificate.
    """

    cert: Path
    key: Path
    ca: Path | None = None
    passphrase: str = ""
    require_cert: bool = False


@dataclass(frozen=True, slots=True)
class HubOptions:
    """What ``labgate hub`` was told; the names are those of configurable-http-proxy's flags.

    Attributes:
        public: Where clients come.
        api: Where the Hub comes.
        metrics: Where Prometheus comes; None for no metrics.
        tls: Towards clients; None for plain HTTP.
        api_tls: Towards the Hub.
        client_ca: PEM file with the authorities of https targets; None for the system's.
        client_cert: PEM file of labgate's own certificate, for https targets.
        client_key: PEM file of its key.
        insecure: Accept any certificate of a target.
        token: The API's; empty if none was given.
        default_target: The target of ``/``.
        error_target: Where error pages come from.
        error_path: A folder with error pages.
        redirect_port: A port of plain HTTP that redirects to HTTPS; None for none.
        redirect_to: The port that it redirects to; None for the public one.
        pid_file: Has the process id while it runs.
        x_forward: Append to X-Forwarded-*.
        prepend_path: Put a target's path before the request's.
        include_prefix: Send a route's prefix to its target.
        auto_rewrite: Write the public host in a Location that names the target.
        change_origin: Send the target's authority as Host.
        protocol_rewrite: The scheme to write in such a Location; empty for no change.
        custom_headers: Set in each request.
        host_routing: The first segment of a route is a host.
        log_level: debug, info, warning or error.
        log_format: text or json.
        timeout_ms: How long a client waits for the begin of a response; 0 for as long as it likes.
        proxy_timeout_ms: How long a target may take for it; 0 for as long as it likes.
        keep_alive_timeout_ms: How long a client's connection may be idle.
        storage: The file that routes are kept in; None for memory alone.
        public_origin: Check Host and Origin against it; None leaves that to the Hub.
        workers: How many processes serve clients.
        drain_seconds: How long open requests have at the end.
        warnings: Sentences about flags that have no effect.
    """

    public: Endpoint
    api: Endpoint
    metrics: Endpoint | None = None
    tls: TlsFiles | None = None
    api_tls: TlsFiles | None = None
    client_ca: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    insecure: bool = False
    token: str = ""
    default_target: str = ""
    error_target: str = ""
    error_path: Path | None = None
    redirect_port: int | None = None
    redirect_to: int | None = None
    pid_file: Path | None = None
    x_forward: bool = True
    prepend_path: bool = True
    include_prefix: bool = True
    auto_rewrite: bool = False
    change_origin: bool = False
    protocol_rewrite: Literal["http", "https", ""] = ""
    custom_headers: tuple[Field, ...] = ()
    host_routing: bool = False
    log_level: str = "info"
    log_format: Literal["text", "json"] = "text"
    timeout_ms: int = 0
    proxy_timeout_ms: int = 0
    keep_alive_timeout_ms: int = 5000
    storage: Path | None = None
    public_origin: WebOrigin | None = None
    workers: int = 1
    drain_seconds: float = 10.0
    warnings: tuple[str, ...] = field(default=())

    @property
    def client_tls(self) -> UpstreamTls:
        """TLS towards https targets."""
        return UpstreamTls(
            str(self.client_ca or ""),
            str(self.client_cert or ""),
            str(self.client_key or ""),
            not self.insecure,
        )

    @property
    def response_seconds(self) -> float:
        """How long the begin of a response may take; 0 for any time."""
        given = [ms for ms in (self.timeout_ms, self.proxy_timeout_ms) if ms]
        return min(given) / 1000 if given else 0.0
