"""Real proxies in front of a real Jupyter, each as a process with a configuration."""

from __future__ import annotations

import os
from pathlib import Path

from tests.doctor.certificates import PUBLIC, Certificates
from tests.doctor.configuration import Configuration
from tests.doctor.proxy_program import LOGIN, Proxy
from tests.doctor.traefik import Traefik


class Nginx(Proxy):
    """nginx."""

    name = "nginx"
    program = "nginx"
    package = "nginx-light"

    def text(self) -> str:
        user = "user root;" if os.geteuid() == 0 else ""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = " ".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        return f"""\
{user}
daemon off;
pid {self.folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    {temporary}
    access_log {self.folder}/access.log;
    {self.at("Before the server block", 4)}
    server {{
        {self.at("In the server block", 8)}
        location {self.configuration.path} {{
            {self.at("In the location of Jupyter", 12)}
        }}
        {self._login()}
    }}
}}
"""

    def _login(self) -> str:
        """The location of calls, where those are sent to a login page."""
        if not self.configuration.places[LOGIN]:
            return ""
        return f"""\
location /api/ {{
            {self.at(LOGIN, 12)}
            return 302 https://login.example.org/?next=$uri;
        }}"""

    def command(self) -> list[str]:
        return [self.executable(), "-c", str(self.file), "-e", "stderr"]

    def check(self) -> list[str]:
        return [*self.command(), "-t"]


class Caddy(Proxy):
    """Caddy; its admin interface and its own certificates are off."""

    name = "caddy"
    program = "caddy"
    package = "caddy"

    def text(self) -> str:
        return f"""\
{{
    admin off
    auto_https off
    {self.at("In the global options", 4)}
}}
https://{PUBLIC}:{self.port} {{
    {self.at("In the site block", 4)}
    reverse_proxy {self.upstream} {{
        {self.at("In the reverse_proxy of Jupyter", 8)}
    }}
}}
{self.at("Beside the site block", 0)}
http://{PUBLIC}:{self.http_port} {{
    bind 127.0.0.1 ::1
    redir https://{PUBLIC}:{self.port}{{uri}} 308
}}
"""

    def command(self) -> list[str]:
        return [self.executable(), "run", "--config", str(self.file), "--adapter", "caddyfile"]

    def check(self) -> list[str]:
        return [self.executable(), "validate", *self.command()[2:]]


class Haproxy(Proxy):
    """HAProxy."""

    name = "haproxy"
    program = "haproxy"
    package = "haproxy"

    def text(self) -> str:
        return f"""\
global
    nbthread 1
    {self.at("In global", 4)}
defaults
    mode http
    timeout connect 5s
    {self.at("In defaults", 4)}
frontend public
    {self.at("In the frontend", 4)}
    default_backend jupyter
frontend plain
    bind 127.0.0.1:{self.http_port},[::1]:{self.http_port}
    http-request redirect code 308 location https://{PUBLIC}:{self.port}%[capture.req.uri]
backend jupyter
    {self.at("In the backend of Jupyter", 4)}
"""

    def command(self) -> list[str]:
        return [self.executable(), "-db", "-f", str(self.file)]

    def check(self) -> list[str]:
        return [self.executable(), "-c", "-f", str(self.file)]


class Apache(Proxy):
    """Apache's httpd, as Debian builds it."""

    name = "apache"
    program = "apache2"
    package = "apache2"

    MODULES = (
        *("mpm_event", "authz_core", "authz_host", "alias", "headers", "reqtimeout", "rewrite"),
        *("setenvif", "socache_shmcb", "ssl", "proxy", "proxy_http", "proxy_wstunnel", "expires"),
    )

    def text(self) -> str:
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
            for name in self.MODULES
        )
        user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
        return f"""\
{modules}
{user}
ServerRoot {self.folder}
DefaultRuntimeDir {self.folder}
PidFile {self.folder}/apache.pid
Mutex sem
ErrorLog {self.folder}/error.log
ServerName {PUBLIC}
Listen 127.0.0.1:{self.http_port}
Listen [::1]:{self.http_port}
{self.at("Outside of the VirtualHost", 0)}
<VirtualHost *:{self.port}>
    SSLEngine on
    {self.at("In the VirtualHost", 4)}
</VirtualHost>
<VirtualHost *:{self.http_port}>
    Redirect permanent / https://{PUBLIC}:{self.port}/
</VirtualHost>
"""

    def command(self) -> list[str]:
        return [self.executable(), "-DFOREGROUND", "-f", str(self.file)]

    def check(self) -> list[str]:
        return [self.executable(), "-t", "-f", str(self.file)]

    @property
    def log(self) -> str:
        errors = self.folder / "error.log"
        return super().log + (errors.read_text(errors="replace") if errors.exists() else "")


SERVERS: dict[str, type[Proxy]] = {
    server.name: server for server in (Nginx, Caddy, Haproxy, Apache, Traefik)
}


def proxy(
    folder: Path, configuration: Configuration, upstream: str, certificates: Certificates
) -> Proxy:
    """The proxy that a configuration is for, not started."""
    return SERVERS[configuration.server](folder, configuration, upstream, certificates)
