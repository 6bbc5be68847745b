"""The proxies as somebody sets them up who wants pages to load fast."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bench.certificates import Certificate
from tests.bench.peers import Caddy, Nginx, Peer, labgates, program

_NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {work}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    types {{ text/html html; }}
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    access_log {work}/access.log;
    client_max_body_size 0;
    gzip on;
    gzip_proxied any;
    gzip_vary on;
    gzip_comp_level 6;
    gzip_min_length 1000;
    gzip_types *;
    upstream jupyter {{ server 127.0.0.1:{upstream}; keepalive 64; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=1024;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        ssl_session_cache shared:TLS:10m;
        location / {{
            proxy_pass http://jupyter;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_read_timeout 86400s;
            proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_buffers 16 64k;
            proxy_busy_buffers_size 128k;
        }}
    }}
}}
"""

_CADDY = """\
{{
    admin off
    auto_https off
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls {chain} {key}
    encode zstd gzip
    log {{
        output file {work}/access.log
    }}
    reverse_proxy 127.0.0.1:{upstream}
}}
"""


class PageNginx(Nginx):
    """nginx with gzip for every type, and HTTP/2."""

    def __init__(self) -> None:
        super().__init__(tuned=True)

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        found = program("nginx")
        assert found is not None
        configuration = work / "nginx.conf"
        configuration.write_text(
            _NGINX.format(
                user="user root;" if os.geteuid() == 0 else "",
                work=work,
                port=port,
                upstream=upstream,
                chain=certificate.chain,
                key=certificate.key,
            )
        )
        return [found, "-p", str(work), "-c", str(configuration), "-e", str(work / "error.log")]


class PageCaddy(Caddy):
    """Caddy with zstd and gzip, and HTTP/2, which is on by itself."""

    def command(self, port: int, upstream: int, certificate: Certificate, work: Path) -> list[str]:
        found = program("caddy")
        assert found is not None
        configuration = work / "Caddyfile"
        text = _CADDY.format(
            port=port, upstream=upstream, chain=certificate.chain, key=certificate.key, work=work
        )
        configuration.write_text(text)
        return [found, "run", "--config", str(configuration), "--adapter", "caddyfile"]


def page_peers() -> list[Peer]:
    """labgate as it is by default and with HTTP/2; then its alternatives."""
    labgate = labgates()[0]
    return [labgate, labgate.with_http2(), PageNginx(), PageCaddy()]
