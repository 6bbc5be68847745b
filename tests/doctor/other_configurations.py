"""Caddy, HAProxy and Apache: each as it should be set up, and wrongly."""

from __future__ import annotations

from tests.doctor.configuration import Configuration

GLOBAL_OPTIONS, BESIDE, SITE, REVERSE_PROXY = (
    "In the global options",
    "Beside the site block",
    "In the site block",
    "In the reverse_proxy of Jupyter",
)
GLOBAL, DEFAULTS, FRONTEND, BACKEND = (
    "In global",
    "In defaults",
    "In the frontend",
    "In the backend of Jupyter",
)
OUTSIDE, VIRTUAL_HOST = "Outside of the VirtualHost", "In the VirtualHost"

CADDY = Configuration(
    "caddy",
    {
        GLOBAL_OPTIONS: (),
        BESIDE: (),
        SITE: ("bind 127.0.0.1 ::1", "tls @cert@ @key@"),
        REVERSE_PROXY: (),
    },
)
HAPROXY = Configuration(
    "haproxy",
    {
        GLOBAL: ("tune.bufsize 65536",),
        DEFAULTS: ("timeout client 1d", "timeout server 1d", "timeout tunnel 1d"),
        FRONTEND: (
            "bind 127.0.0.1:@port@,[::1]:@port@ ssl crt @both@ alpn http/1.1",
            "http-request set-header X-Forwarded-Proto https",
            "http-request set-header X-Real-IP %[src]",
        ),
        BACKEND: ("server jupyter @upstream@",),
    },
)
APACHE = Configuration(
    "apache",
    {
        OUTSIDE: ("Listen 127.0.0.1:@port@", "Listen [::1]:@port@"),
        VIRTUAL_HOST: (
            "SSLCertificateFile @cert@",
            "SSLCertificateKeyFile @key@",
            "LimitRequestFieldSize 65536",
            "AllowEncodedSlashes NoDecode",
            "ProxyPreserveHost On",
            'RequestHeader set X-Forwarded-Proto "https"',
            "ProxyTimeout 86400",
            "ProxyPass / http://@upstream@/ upgrade=websocket nocanon flushpackets=on",
        ),
    },
)
OTHERS = (CADDY, HAPROXY, APACHE)
"""As they should be set up."""

WRONG_OTHERS: dict[str, tuple[Configuration, str]] = {
    "Caddy: Host is Jupyter's": (
        CADDY.put(REVERSE_PROXY, "header_up Host {upstream_hostport}"),
        "origin-refused",
    ),
    "Caddy: Host and Origin are always Jupyter's": (
        CADDY.put(
            REVERSE_PROXY,
            "header_up Host {upstream_hostport}",
            "header_up Origin http://{upstream_hostport}",
        ),
        "cross-origin-open",
    ),
    "Caddy: uploads of 1 MB": (
        CADDY.put(SITE, "request_body {\n    max_size 1MB\n}"),
        "body-limit",
    ),
    "Caddy: no subprotocol": (
        CADDY.put(REVERSE_PROXY, "header_up -Sec-WebSocket-Protocol"),
        "subprotocol-lost",
    ),
    "Caddy: the wrong X-Forwarded-Proto": (
        CADDY.put(REVERSE_PROXY, "header_up X-Forwarded-Proto http"),
        "forwarded-proto",
    ),
    "Caddy: heads of 8 KiB": (
        CADDY.put(GLOBAL_OPTIONS, "servers {\n    max_header_size 4KB\n}"),
        "header-limit",
    ),
    "HAProxy: Host is Jupyter's": (
        HAPROXY.put(BACKEND, "http-request set-header Host @upstream@"),
        "origin-refused",
    ),
    "HAProxy: Host and Origin are always Jupyter's": (
        HAPROXY.put(
            BACKEND,
            "http-request set-header Host @upstream@",
            "http-request set-header Origin http://@upstream@",
        ),
        "cross-origin-open",
    ),
    "HAProxy: heads of 15 KiB": (HAPROXY.without("tune.bufsize"), "header-limit"),
    "HAProxy: no X-Forwarded-Proto": (
        HAPROXY.without("http-request set-header X-Forwarded-Proto"),
        "forwarded-proto",
    ),
    "HAProxy: whole bodies first": (
        HAPROXY.put(FRONTEND, "option http-buffer-request"),
        "buffered",
    ),
    "Apache: no ProxyPreserveHost": (APACHE.without("ProxyPreserveHost"), "origin-refused"),
    "Apache: no upgrade": (
        APACHE.put(VIRTUAL_HOST, "ProxyPass / http://@upstream@/ nocanon flushpackets=on"),
        "websocket-not-upgraded",
    ),
    "Apache: no encoded slashes": (APACHE.without("AllowEncodedSlashes"), "path-decoded"),
    "Apache: heads of 8 KiB": (APACHE.without("LimitRequestFieldSize"), "header-limit"),
    "Apache: no X-Forwarded-Proto": (APACHE.without("RequestHeader"), "forwarded-proto"),
}
"""Each with what is wrong, and with the only thing to be found."""
