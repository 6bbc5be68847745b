"""Every section and key of the configuration, frozen and validated.

``config/labgate.toml`` explains them to people; ``proxy.config.load`` reads them.
"""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from proxy.config.types import (
    Challenges,
    Names,
    Networks,
    Paths,
    Port,
    Seconds,
    host_and_port,
    is_address,
    memory_bytes,
    parse_domain,
)
from proxy.errors import UsageError
from proxy.net.limits import DEFAULT_LIMITS
from proxy.net.upstream_address import parse_upstream
from proxy.rules.model import WebOrigin

DEFAULT_IMAGE = "quay.io/jupyter/scipy-notebook:2025-03-14"
DEFAULT_DOMAIN = "localhost"
HSTS_SECONDS = 180 * 24 * 3600
LETSENCRYPT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


class Section(BaseModel):
    """What every section has in common: frozen, and no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(Section):
    """``[site]``: the public names, and what is let in."""

    domains: Names = (DEFAULT_DOMAIN,)
    rewrite: Literal["rewrite", "preserve"] = "rewrite"
    canonical_redirect: bool = False
    websocket_without_origin: bool = False
    hsts_seconds: Annotated[int, Field(ge=0)] | None = None

    @field_validator("domains")
    @classmethod
    def _well_formed(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        if not domains:
            raise ValueError("name at least one domain, for example localhost")
        for domain in domains:
            parse_domain(domain, 443)
        return domains


class ListenSettings(Section):
    """``[listen]``: addresses and ports of the edge."""

    bind: Names = ()
    https_port: Port | None = None
    http_port: Port | None = None
    tls: bool = True
    drain_seconds: Seconds = 10.0
    workers: Annotated[int, Field(ge=1)] = 1
    metrics: str = ""

    @field_validator("metrics")
    @classmethod
    def _host_and_port(cls, metrics: str) -> str:
        if metrics:
            host_and_port(metrics)
        return metrics


class TlsSettings(Section):
    """``[tls]``: certificate pairs; the n-th key belongs to the n-th certificate."""

    cert: Paths = ()
    key: Paths = ()
    unknown_name: Literal["default", "refuse"] = "default"

    @model_validator(mode="after")
    def _paired(self) -> TlsSettings:
        if len(self.cert) != len(self.key):
            raise ValueError(
                f"{len(self.cert)} certificate(s) and {len(self.key)} key(s): give --cert and "
                "--key in pairs, the n-th key for the n-th certificate"
            )
        return self


class AcmeSettings(Section):
    """``[acme]``: certificates obtained by labgate itself, and certbot's challenges."""

    webroot: Path | None = None
    email: str = ""
    directory: str = LETSENCRYPT_DIRECTORY
    challenges: Challenges = (
        "http-01",
        "tls-alpn-01",
    )
    profile: str = ""
    eab_kid: str = ""
    eab_hmac_key: str = ""
    ca_file: Path | None = None

    @field_validator("email")
    @classmethod
    def _an_address(cls, email: str) -> str:
        if email and not re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", email):
            raise ValueError(f"{email!r} is not a mail address; write for example me@example.org")
        return email

    @field_validator("directory")
    @classmethod
    def _an_address_of_a_directory(cls, directory: str) -> str:
        if directory == "staging":
            return LETSENCRYPT_STAGING
        if not re.fullmatch(r"https://[^/\s]+/\S*", directory):
            message = f"{directory!r} is not the https:// address of an ACME directory; leave it "
            raise ValueError(message + 'out for Let\'s Encrypt, or write "staging" for its trials')
        return directory

    @model_validator(mode="after")
    def _binding_whole(self) -> AcmeSettings:
        if bool(self.eab_kid) != bool(self.eab_hmac_key):
            raise ValueError("eab_kid and eab_hmac_key belong together: give both or neither")
        return self


class AccessSettings(Section):
    """``[access]``: who gets in, and whom labgate believes about who is asking."""

    htpasswd: Path | None = None
    allow: Networks = ()
    trusted_proxies: Networks = ()
    proxy_protocol: bool = False
    login_failures: Annotated[int, Field(ge=0)] = 10
    lockout_seconds: Seconds = 900.0

    @model_validator(mode="after")
    def _sender_known(self) -> AccessSettings:
        if self.proxy_protocol and not self.trusted_proxies:
            message = "proxy_protocol needs trusted_proxies: the addresses it may come from"
            raise ValueError(message)
        return self


class LimitSettings(Section):
    """``[limits]``: what a client may ask for; ``net.limits.Limits`` says what each means."""

    connections: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.connections
    connections_per_address: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.connections_per_address
    requests: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.requests
    requests_per_address: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.requests_per_address
    request_line: Annotated[int, Field(ge=8192)] = DEFAULT_LIMITS.request_line
    head: Annotated[int, Field(ge=8192)] = DEFAULT_LIMITS.head
    fields: Annotated[int, Field(ge=16)] = DEFAULT_LIMITS.fields
    handshake_seconds: Seconds = DEFAULT_LIMITS.handshake_seconds
    head_seconds: Seconds = DEFAULT_LIMITS.head_seconds
    keep_alive_seconds: Seconds = DEFAULT_LIMITS.keep_alive_seconds
    content_grace_seconds: Seconds = DEFAULT_LIMITS.content_grace_seconds
    content_pace: Annotated[int, Field(gt=0)] = DEFAULT_LIMITS.content_pace


class UpstreamSettings(Section):
    """``[upstream]``: the Jupyter server behind us."""

    url: str = ""
    connect_timeout_seconds: Seconds = 5.0
    head_seconds: Seconds = 60.0
    response_seconds: Annotated[float, Field(ge=0)] = 0.0
    page_seconds: Annotated[float, Field(ge=0)] = 15.0
    idle_connections: Annotated[int, Field(ge=0)] = 64
    idle_seconds: Seconds = 30.0

    @field_validator("url")
    @classmethod
    def _parses(cls, url: str) -> str:
        if url:
            try:
                parse_upstream(url)
            except UsageError as error:
                raise ValueError(str(error).rstrip(".")) from None
        return url


class JupyterSettings(Section):
    """``[jupyter]``: the Jupyter that ``labgate up`` launches."""

    launch: Literal["auto", "docker", "process", "none"] = "auto"
    image: str = DEFAULT_IMAGE
    name: str = "jupyter"
    volume: str = "jupyter-work:/home/jovyan/work"
    home: str = ""
    recreate: bool = False
    password: str = ""
    user: str = ""
    memory_limit: str = ""
    port: Port = 0
    folder: Path | None = None
    start_timeout_seconds: Seconds = 120.0

    @field_validator("name")
    @classmethod
    def _a_container(cls, name: str) -> str:
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", name):
            raise ValueError(
                f"{name!r} is not a container's name: letters, digits, and after the first of them "
                "_ . - too; write for example jupyter"
            )
        return name

    @field_validator("memory_limit")
    @classmethod
    def _memory(cls, text: str) -> str:
        memory_bytes(text)
        return text

    @field_validator("password")
    @classmethod
    def _hashed(cls, value: str) -> str:
        from proxy.config.password_hash import problem_with_hash  # noqa: PLC0415  argon2 only if used

        if value and (problem := problem_with_hash(value)):
            raise ValueError(problem)
        return value


class LogSettings(Section):
    """``[log]``: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    access: bool | None = None
    show_headers: bool = False


class StateSettings(Section):
    """``[state]``: where labgate keeps its development CA and the login token."""

    folder: Path | None = None


class Settings(Section):
    """The whole configuration. ``config/labgate.toml`` explains every key."""

    site: SiteSettings = SiteSettings()
    listen: ListenSettings = ListenSettings()
    tls: TlsSettings = TlsSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    acme: AcmeSettings = AcmeSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    jupyter: JupyterSettings = JupyterSettings()
    log: LogSettings = LogSettings()
    state: StateSettings = StateSettings()

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.listen.tls and self.tls.cert:
            message = "listen.tls is off, so tls.cert and tls.key have nothing to do: drop one side"
            raise ValueError(message)
        if not self.listen.tls and self.http_port == 0:
            message = "listen.http_port is 0, which is none, and listen.tls is off: no port is left"
            raise ValueError(f"{message}; give it a number, for example --http-port 8080")
        if self.listen.tls and self.https_port and self.https_port == self.http_port:
            message = f"listen.https_port and listen.http_port are both {self.https_port}"
            raise ValueError(message)
        if self.listen.tls and self.acme.email and not self.tls.cert and not self.local:
            self._check_addresses()
        return self

    def _check_addresses(self) -> None:
        """Let's Encrypt's rule: for an address a short-lived certificate or none."""
        if self.acme.directory not in (LETSENCRYPT_DIRECTORY, LETSENCRYPT_STAGING):
            return
        for host in filter(is_address, (origin.host for origin in self.origins)):
            if self.acme.profile != "shortlived" or not ip_address(host).is_global:
                raise ValueError(
                    f"site.domains: {host} is an address, and an address needs a certificate of "
                    "your own: give --cert and --key; or name a domain. (Let's Encrypt issues for "
                    'public addresses, but only with acme.profile = "shortlived")'
                )

    @property
    def local(self) -> bool:
        """Whether the canonical domain is this machine's own name for itself."""
        host = parse_domain(self.site.domains[0], 443).host
        return host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")

    @property
    def https_port(self) -> int:
        """The port HTTPS is served on: 443 for a real domain, 8443 on a laptop."""
        given = self.listen.https_port
        return given if given is not None else (8443 if self.local else 443)

    @property
    def http_port(self) -> int:
        """The port plain HTTP is served on; 0 is none."""
        given = self.listen.http_port
        return given if given is not None else (8080 if self.local else 80)

    @property
    def bind(self) -> tuple[str, ...]:
        """The addresses to listen on: loopback on a laptop, all for a real domain."""
        return self.listen.bind or (("127.0.0.1", "::1") if self.local else ("0.0.0.0", "::"))  # noqa: S104

    @property
    def hsts_seconds(self) -> int:
        """How long browsers insist on HTTPS; 0 for localhost, which other programs share."""
        given = self.site.hsts_seconds
        return given if given is not None else (0 if self.local else HSTS_SECONDS)

    @property
    def origins(self) -> tuple[WebOrigin, ...]:
        """The public origins, canonical first; the default port is the HTTPS one."""
        return tuple(parse_domain(text, self.https_port) for text in self.site.domains)

    @property
    def state_folder(self) -> Path:
        """``state.folder``, systemd's StateDirectory, or the user's state folder."""
        if self.state.folder is not None:
            return self.state.folder
        if system := os.environ.get("STATE_DIRECTORY"):
            return Path(system.split(":", 1)[0])
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(base) / "labgate"
