"""Every section of the configuration and its keys, frozen and validated.

``config/labgate.toml`` explains them to people. Tested by tests/config/test_load.py and
tests/config/test_problems.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
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
    memory_bytes,
    parse_domain,
    split_mount,
)
from proxy.errors import UsageError
from proxy.net.limits import DEFAULT_LIMITS
from proxy.net.upstream_address import parse_upstream
from proxy.rules.site import WebOrigin

DEFAULT_IMAGE = "quay.io/jupyter/scipy-notebook:2025-03-14"
DEFAULT_WORK_FOLDER = "/home/jovyan/work"
DEFAULT_DOMAIN = "localhost"
LETSENCRYPT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"

_MOUNT_EXAMPLES = {
    "volume": f"jupyter-work:{DEFAULT_WORK_FOLDER}",
    "home": "jupyter-home:/home/jovyan",
}


class Section(BaseModel):
    """The base of all sections: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SiteSettings(Section):
    """``[site]``: the public domains, and which requests are accepted."""

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
        known: dict[WebOrigin, str] = {}
        for domain in domains:
            origin = parse_domain(domain, 443)
            if origin in known:
                raise ValueError(f"{domain!r} is there twice; name it once")
            known[origin] = domain
        return domains


class ListenSettings(Section):
    """``[listen]``: the addresses and ports that labgate listens on."""

    bind: Names = ()
    https_port: Port | None = None
    http_port: Port | None = None
    tls: bool = True
    server: Literal["labgate", "aiohttp"] = "labgate"
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
                f"{len(self.cert)} certificate(s) and {len(self.key)} key(s): give tls.cert and "
                "tls.key in pairs, the n-th key for the n-th certificate"
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
    """``[access]``: logins, the allow-list, and the trusted proxies."""

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
    """``[limits]``: limits for clients; ``net.limits.Limits`` explains each."""

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
    """``[upstream]``: the connection to the Jupyter server."""

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
    volume: str | None = None
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

    @field_validator("volume", "home")
    @classmethod
    def _mounts(cls, text: str | None, field: ValidationInfo) -> str | None:
        if text:
            split_mount(text, _MOUNT_EXAMPLES[field.field_name or ""])
        return text

    @field_validator("user")
    @classmethod
    def _numbers(cls, user: str) -> str:
        if user and not re.fullmatch(r"(\d+|root)(:\d+)?", user):
            raise ValueError(f"{user!r} is neither UID nor UID:GID; write for example 1000:100")
        return user

    @model_validator(mode="after")
    def _one_mount_at_a_place(self) -> JupyterSettings:
        if self.volume != "" and self.home:
            work = split_mount(self.volume)[1] if self.volume else DEFAULT_WORK_FOLDER
            home = split_mount(self.home)[1]
            if work == home:
                raise ValueError(
                    f"jupyter.volume and jupyter.home are both mounted at {home}; "
                    "drop one of them: a volume mounted there is the home"
                )
        return self

    @field_validator("memory_limit")
    @classmethod
    def _memory(cls, text: str) -> str:
        memory_bytes(text)
        return text

    @field_validator("password")
    @classmethod
    def _hashed(cls, value: str) -> str:
        from proxy.config.password_hash import problem_with_jupyter_hash  # noqa: PLC0415  argon2 only if used

        if value and (problem := problem_with_jupyter_hash(value)):
            raise ValueError(problem)
        return value


class LogSettings(Section):
    """``[log]``: what is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    access: bool | None = None
    show_headers: bool = False
    show_headers_only: Literal["all", "errors"] = "all"
    show_headers_filter: str = ""


class InspectorSettings(Section):
    """``[inspector]``: captures what passes, for people who look for a fault."""

    enabled: bool = False
    content: bool = False
    observe: bool = False
    address: str = "127.0.0.1:0"

    @field_validator("address")
    @classmethod
    def _loopback(cls, address: str) -> str:
        if host_and_port(address)[0] not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError(
                f"{address!r}: the inspector shows what everybody does, so it listens on loopback "
                "only; write for example 127.0.0.1:8889"
            )
        return address


class StateSettings(Section):
    """``[state]``: the folder of the development CA, the login token and other state."""

    folder: Path | None = None
