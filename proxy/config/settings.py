"""The whole configuration, and the values that follow from several keys.

``proxy.config.load`` reads it. Tested by tests/config/test_load.py.
"""

from __future__ import annotations

import os
from ipaddress import ip_address
from pathlib import Path

from pydantic import model_validator

from proxy.config.sections import (
    LETSENCRYPT_DIRECTORY,
    LETSENCRYPT_STAGING,
    AccessSettings,
    AcmeSettings,
    JupyterSettings,
    LimitSettings,
    ListenSettings,
    LogSettings,
    Section,
    SiteSettings,
    StateSettings,
    TlsSettings,
    UpstreamSettings,
)
from proxy.config.types import is_address, parse_domain
from proxy.rules.model import WebOrigin

DEFAULT_HSTS_SECONDS = 180 * 24 * 3600


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
        return given if given is not None else (0 if self.local else DEFAULT_HSTS_SECONDS)

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
