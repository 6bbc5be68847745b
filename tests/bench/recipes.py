"""The configuration files of the peers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.bench.certificates import CURVE, Certificate

CONNECTIONS = 8000


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_NGINX = """\
{user}
worker_processes 1;
daemon off;
pid {work}/nginx.pid;
events {{ worker_connections {connections}; }}
http {{
    client_body_temp_path {work}/body;
    proxy_temp_path {work}/proxy;
    access_log {work}/access.log;
    client_max_body_size 0;
    keepalive_requests 1000000;
    {upstream_block}
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        ssl_ecdh_curve {curve};
        ssl_session_cache shared:TLS:10m;
        location / {{
            proxy_pass {target};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection {connection};
            proxy_read_timeout 86400s;
            {location_block}
        }}
    }}
}}
"""

_TUNED_UPSTREAM = """\
upstream jupyter {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}"""

# What labgate does as well: bodies go through as they come, nothing is kept on disk.
# proxy_buffer_size stays: it is what every WebSocket holds, and larger ones cost memory.
_TUNED_LOCATION = """\
proxy_request_buffering off;
            proxy_max_temp_file_size 0;
            proxy_buffers 16 64k;
            proxy_busy_buffers_size 128k;"""


def nginx(port: int, upstream: int, certificate: Certificate, work: Path, *, tuned: bool) -> str:
    """The recipe found everywhere, or the same with keepalive and without temporary files."""
    return _NGINX.format(
        user="user root;" if os.geteuid() == 0 else "",
        work=work,
        connections=2 * CONNECTIONS,
        port=port,
        chain=certificate.chain,
        key=certificate.key,
        curve=CURVE,
        target="http://jupyter" if tuned else f"http://127.0.0.1:{upstream}",
        connection="$connection_upgrade" if tuned else '"upgrade"',
        upstream_block=_TUNED_UPSTREAM.format(upstream=upstream) if tuned else "",
        location_block=_TUNED_LOCATION if tuned else "",
    )


def caddy(port: int, upstream: int, certificate: Certificate, work: Path) -> str:
    """``reverse_proxy`` adds X-Forwarded-* by itself."""
    return f"""\
{{
    admin off
    auto_https off
    servers {{
        protocols h1
    }}
}}
https://localhost:{port}, https://127.0.0.1:{port} {{
    bind 127.0.0.1
    tls {certificate.chain} {certificate.key} {{
        protocols tls1.3
        curves secp256r1
        alpn http/1.1
    }}
    log {{
        output file {work}/access.log
    }}
    reverse_proxy 127.0.0.1:{upstream} {{
        header_up X-Real-IP {{remote_host}}
    }}
}}
"""


def haproxy(port: int, upstream: int, certificate: Certificate) -> str:
    """``http-reuse always`` shares the upstream connections, as labgate's pool does."""
    return f"""\
global
    nbthread 1
    maxconn {CONNECTIONS}
    log stdout format raw local0 info
    ssl-default-bind-curves {CURVE.replace("prime256v1", "P-256")}
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode http
    log global
    option httplog
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 75s
    timeout server 86400s
    timeout tunnel 86400s
frontend tls
    bind 127.0.0.1:{port} ssl crt {certificate.both} alpn http/1.1 backlog 1024
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Host %[req.hdr(Host)]
    http-request set-header X-Real-IP %[src]
    default_backend jupyter
backend jupyter
    server jupyter 127.0.0.1:{upstream}
"""
