"""The whole configuration, and the values that follow from several keys.

``proxy.config.load`` reads it. Tested by tests/config/test_load.py.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from pydantic import model_validator

from proxy.config.addresses import is_address, is_loopback_name, is_public_name, parse_domain
from proxy.config.certificate_settings import (
    LETSENCRYPT_DIRECTORY,
    LETSENCRYPT_STAGING,
    AcmeSettings,
    TlsSettings,
)
from proxy.config.delivery_settings import CacheSettings, CompressionSettings
from proxy.config.jupyter_settings import JupyterSettings
from proxy.config.log_settings import LogSettings
from proxy.config.route_conflicts import RouteClaim, check_conflicts
from proxy.config.route_settings import RouteSettings, route_name
from proxy.config.section import Section
from proxy.config.sections import (
    AccessSettings,
    InspectorSettings,
    LimitSettings,
    ListenSettings,
    SiteSettings,
    StateSettings,
    UpstreamSettings,
)
from proxy.config.sources import default_state_folder
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.site import WebOrigin

DEFAULT_HSTS_SECONDS = 180 * 24 * 3600


class Settings(Section):
    """The whole configuration: the sections, and ``routes``, of which there may be many.

    ``config/labgate.toml`` explains every key.
    """

    site: SiteSettings = SiteSettings()
    listen: ListenSettings = ListenSettings()
    tls: TlsSettings = TlsSettings()
    access: AccessSettings = AccessSettings()
    limits: LimitSettings = LimitSettings()
    acme: AcmeSettings = AcmeSettings()
    upstream: UpstreamSettings = UpstreamSettings()
    jupyter: JupyterSettings = JupyterSettings()
    compression: CompressionSettings = CompressionSettings()
    cache: CacheSettings = CacheSettings()
    log: LogSettings = LogSettings()
    inspector: InspectorSettings = InspectorSettings()
    state: StateSettings = StateSettings()
    routes: tuple[RouteSettings, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if not self.listen.tls and self.tls.cert:
            message = (
                "listen.tls = false, so tls.cert and tls.key have nothing to do: drop one side"
            )
            raise ValueError(message)
        if not self.listen.tls and self.http_port == 0:
            message = (
                "listen.http_port is 0, which is none, with listen.tls = false: no port is left"
            )
            raise ValueError(f"{message}; give it a number, for example 8080")
        if self.listen.tls and self.https_port == 0:
            message = "listen.https_port is 0, and no address can name that port"
            raise ValueError(f"{message}; give it a number, for example --https-port 8443")
        if self.listen.tls and self.https_port == self.http_port:
            message = f"listen.https_port and listen.http_port are both {self.https_port}"
            raise ValueError(message)
        if self.listen.tls and self.acme.email and not self.tls.cert and not self.local:
            self._check_names()
        if self.inspector.observe:
            self._check_observing()
        if self.upstream.url:
            self._check_upstream("upstream.url", self.upstream.address)
        for number, route in enumerate(self.routes):
            self._check_upstream(f"{route_name(number)} upstream", route.upstream.address)
        check_conflicts(self._claims())
        return self

    def _claims(self) -> list[RouteClaim]:
        """What each route takes, the site's first."""
        htpasswd = self.access.htpasswd
        claims = []
        if self.routes and self.site_has_jupyter:
            key = "upstream.url" if self.upstream.url else "jupyter.launch"
            claims.append(RouteClaim(key, self.origins_of(self.site.domains), "/", htpasswd))
        for number, route in enumerate(self.routes):
            origins = self.origins_of(route.domains or self.site.domains)
            claims.append(
                RouteClaim(route_name(number), origins, route.path, route.login(htpasswd))
            )
        return claims

    def _check_upstream(self, key: str, upstream: UpstreamAddress) -> None:
        """Refuse an upstream that is labgate itself."""
        ports = (self.https_port, self.http_port) if self.listen.tls else (self.http_port,)
        if upstream.path is not None or upstream.port not in ports:
            return
        own = {"localhost", *self.bind}
        if "0.0.0.0" in own:  # noqa: S104
            own.add("127.0.0.1")
        if "::" in own:
            own.add("::1")
        if upstream.host in own:
            raise ValueError(
                f"{key}: {upstream} is where labgate itself listens; write where Jupyter "
                "listens, for example http://127.0.0.1:8888"
            )

    def _check_observing(self) -> None:
        """Refuse to observe where strangers could come: nothing is refused there."""
        hosts = {origin.host for origin in self.origins}
        if strange := sorted(host for host in hosts if not is_loopback_name(host)):
            key = self.key_of_host(strange[0])
            raise ValueError(
                f"{key}: {strange[0]} with inspector.observe: what would be refused is let "
                "through then, so only localhost can be served"
            )
        if strange := sorted(address for address in self.bind if not is_loopback_name(address)):
            raise ValueError(
                f"listen.bind: {strange[0]} with inspector.observe: what would be refused is let "
                "through then, so only 127.0.0.1 and ::1 can be listened on"
            )

    def _check_names(self) -> None:
        """Refuse names and addresses that Let's Encrypt does not issue certificates for."""
        if self.acme.directory not in (LETSENCRYPT_DIRECTORY, LETSENCRYPT_STAGING):
            return
        for host in (origin.host for origin in self.origins):
            key = self.key_of_host(host)
            if not is_address(host):
                if not is_public_name(host):
                    raise ValueError(
                        f"{key}: {host} is no name of the internet, and Let's Encrypt "
                        "certifies no other: give --cert and --key, or name a public domain"
                    )
                continue
            if self.acme.profile != "shortlived" or not ip_address(host).is_global:
                raise ValueError(
                    f"{key}: {host} is an address, and an address needs a certificate of "
                    "your own: give --cert and --key; or name a domain. (Let's Encrypt issues for "
                    'public addresses, but only with acme.profile = "shortlived")'
                )

    @property
    def site_has_jupyter(self) -> bool:
        """Whether a Jupyter is behind the site itself: ``upstream.url``, or one that is launched.

        Without it every Jupyter is in ``[[routes]]``.
        """
        launch = "jupyter" in self.model_fields_set and self.jupyter.launch != "none"
        return bool(self.upstream.url) or not self.routes or launch

    @property
    def domains(self) -> tuple[str, ...]:
        """Every public domain, the canonical one first: those of the site, then of the routes.

        Nobody has chosen the site's default where every route has a domain of its own.
        """
        chosen = "domains" in self.site.model_fields_set
        on_site = chosen or self.site_has_jupyter or any(not one.domains for one in self.routes)
        own = self.site.domains if on_site else ()
        return tuple(dict.fromkeys((*own, *(name for one in self.routes for name in one.domains))))

    def key_of_host(self, host: str) -> str:
        """The key that names a public host."""
        for number, route in enumerate(self.routes):
            if any(parse_domain(domain, 443).host == host for domain in route.domains):
                return f"{route_name(number)} domains"
        return "site.domains"

    @property
    def local(self) -> bool:
        """Whether the canonical domain is localhost or a loopback address."""
        return is_loopback_name(parse_domain(self.domains[0], 443).host)

    @property
    def https_port(self) -> int:
        """The port of HTTPS; by default 8443 for localhost, 443 for other domains."""
        given = self.listen.https_port
        return given if given is not None else (8443 if self.local else 443)

    @property
    def http_port(self) -> int:
        """The port of plain HTTP; 0 for none."""
        given = self.listen.http_port
        return given if given is not None else (8080 if self.local else 80)

    @property
    def bind(self) -> tuple[str, ...]:
        """The addresses to listen on: loopback for localhost, all for other domains."""
        return self.listen.bind or (("127.0.0.1", "::1") if self.local else ("0.0.0.0", "::"))  # noqa: S104

    @property
    def hsts_seconds(self) -> int:
        """The max-age of HSTS; 0 for localhost, which other programs use, too."""
        given = self.site.hsts_seconds
        return given if given is not None else (0 if self.local else DEFAULT_HSTS_SECONDS)

    @property
    def origins(self) -> tuple[WebOrigin, ...]:
        """All public origins, the canonical one first."""
        return self.origins_of(self.domains)

    def origins_of(self, domains: tuple[str, ...]) -> tuple[WebOrigin, ...]:
        """The public origins of domains; the default port is that of HTTPS.

        Without TLS another proxy terminates it, and only who observes sees labgate itself: with
        or without such a proxy in front.
        """
        if self.inspector.observe and not self.listen.tls:
            behind_tls = [parse_domain(text, self.http_port) for text in domains]
            return (*(origin._replace(scheme="http") for origin in behind_tls), *behind_tls)
        return tuple(parse_domain(text, self.https_port) for text in domains)

    @property
    def state_folder(self) -> Path:
        """``state.folder``, systemd's StateDirectory, or the user's state folder."""
        configured = self.state.folder
        return configured if configured is not None else default_state_folder()


SECTIONS = tuple(name for name in Settings.model_fields if name != "routes")
"""The sections that are there once."""
