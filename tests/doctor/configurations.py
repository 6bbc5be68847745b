"""The right configuration of each server, and the wrong ones, each with what is wrong."""

from __future__ import annotations

from dataclasses import replace

from tests.doctor.configuration import Configuration
from tests.doctor.proxies import LOGIN

BEFORE, SERVER, LOCATION = (
    "Before the server block",
    "In the server block",
    "In the location of Jupyter",
)
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

PLAIN_HTTP = """\
server {
    listen 127.0.0.1:@http-port@;
    listen [::1]:@http-port@;
"""
NGINX = Configuration(
    "nginx",
    {
        BEFORE: (
            'map $http_upgrade $connection_upgrade {\n    default upgrade;\n    "" "";\n}',
            PLAIN_HTTP + "    return 308 https://localhost:@port@$request_uri;\n}",
        ),
        SERVER: (
            "listen 127.0.0.1:@port@ ssl;",
            "listen [::1]:@port@ ssl;",
            "ssl_certificate @cert@;",
            "ssl_certificate_key @key@;",
            "client_max_body_size 0;",
            "large_client_header_buffers 4 32k;",
        ),
        LOCATION: (
            "proxy_pass http://@upstream@;",
            "proxy_http_version 1.1;",
            "proxy_set_header Host $http_host;",
            "proxy_set_header X-Real-IP $remote_addr;",
            "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "proxy_set_header Upgrade $http_upgrade;",
            "proxy_set_header Connection $connection_upgrade;",
            "proxy_read_timeout 1d;",
            "proxy_send_timeout 1d;",
            "proxy_request_buffering off;",
            "proxy_buffering off;",
        ),
        LOGIN: (),
    },
)
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
RIGHT = {right.server: right for right in (NGINX, CADDY, HAPROXY, APACHE)}
"""The servers as they should be set up."""

REWRITTEN_HOST = NGINX.put(LOCATION, "proxy_set_header Host @upstream@;")
NGINX_ORIGIN_MAP = (
    "map $http_origin $jupyter_origin {\n"
    "    default $http_origin;\n"
    '    "https://localhost:@port@" "http://@upstream@";\n'
    "}"
)
EVENTS_CUT = """\
location /api/events/ {
    proxy_pass http://@upstream@;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_read_timeout 3s;
}"""
KERNELS_ONLY = """\
location /api/kernels/ {
    proxy_pass http://@upstream@;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_request_buffering off;
    proxy_buffering off;
}"""
COOKIE_OF_PAGES = """\
map $http_upgrade $cookie_of_pages {
    default "";
    ""      $http_cookie;
}"""

WRONG: dict[str, tuple[Configuration, str]] = {
    # What the issue lists.
    "nginx: Host is Jupyter's, Origin is not": (REWRITTEN_HOST, "origin-refused"),
    "nginx: no Host line": (NGINX.without("proxy_set_header Host"), "origin-refused"),
    "nginx: Host without the port": (
        NGINX.put(LOCATION, "proxy_set_header Host $host;"),
        "origin-refused",
    ),
    "nginx: no Upgrade": (
        NGINX.without("proxy_set_header Upgrade", "proxy_set_header Connection"),
        "websocket-not-upgraded",
    ),
    "nginx: Connection is close": (
        NGINX.put(LOCATION, "proxy_set_header Connection close;"),
        "websocket-not-upgraded",
    ),
    "nginx: uploads of 1 MB": (NGINX.without("client_max_body_size"), "body-limit"),
    "nginx: silence ends a socket": (NGINX.add(SERVER, EVENTS_CUT), "idle-timeout"),
    "nginx: paths are decoded": (
        NGINX.put(LOCATION, "proxy_pass http://@upstream@/;"),
        "path-decoded",
    ),
    "nginx: no X-Forwarded-Proto": (
        NGINX.without("proxy_set_header X-Forwarded-Proto"),
        "forwarded-proto",
    ),
    "nginx: Host and Origin are always Jupyter's": (
        REWRITTEN_HOST.put(LOCATION, "proxy_set_header Origin http://@upstream@;"),
        "cross-origin-open",
    ),
    "nginx: no subprotocol": (
        NGINX.put(LOCATION, 'proxy_set_header Sec-WebSocket-Protocol "";'),
        "subprotocol-lost",
    ),
    "nginx: bodies are buffered": (
        NGINX.without("proxy_request_buffering", "proxy_buffering"),
        "buffered",
    ),
    # What else people do.
    "nginx: Origin is blanked": (
        NGINX.put(LOCATION, 'proxy_set_header Origin "";'),
        "cross-origin-open",
    ),
    "nginx: another name as Host": (
        NGINX.put(LOCATION, "proxy_set_header Host lab.example.org;"),
        "host-refused",
    ),
    "nginx: two Host lines": (
        NGINX.add(LOCATION, "proxy_set_header Host $host:$server_port;"),
        "duplicate-host",
    ),
    "nginx: Origin is mapped, Referer is not": (
        REWRITTEN_HOST.put(BEFORE, NGINX_ORIGIN_MAP)
        .put(BEFORE, *NGINX.places[BEFORE])
        .put(LOCATION, "proxy_set_header Origin $jupyter_origin;"),
        "referer-refused",
    ),
    "nginx: upgrades for kernels only": (
        NGINX.without("proxy_set_header Upgrade", "proxy_set_header Connection").add(
            SERVER, KERNELS_ONLY
        ),
        "websocket-not-upgraded",
    ),
    "nginx: no cookies": (NGINX.put(LOCATION, 'proxy_set_header Cookie "";'), "cookies-lost"),
    "nginx: WebSockets without cookies": (
        NGINX.add(BEFORE, COOKIE_OF_PAGES).put(
            LOCATION, "proxy_set_header Cookie $cookie_of_pages;"
        ),
        "websocket-refused",
    ),
    "nginx: no X-XSRFToken": (
        NGINX.put(LOCATION, 'proxy_set_header X-XSRFToken "";'),
        "xsrf-lost",
    ),
    "nginx: every cookie is HttpOnly": (
        NGINX.put(LOCATION, "proxy_cookie_flags ~ httponly;"),
        "cookie-flags",
    ),
    "nginx: another WebSocket version": (
        NGINX.put(LOCATION, "proxy_set_header Sec-WebSocket-Version 8;"),
        "websocket-version",
    ),
    "nginx: heads of 8 KiB": (NGINX.without("large_client_header_buffers"), "header-limit"),
    "nginx: everything is cached for an hour": (NGINX.put(SERVER, "expires 1h;"), "lab-cached"),
    "nginx: calls are sent to a login page": (
        NGINX.put(LOGIN, "# every call"),
        "sso-redirect",
    ),
    "nginx: a path is stripped": (
        replace(NGINX, path="/jupyter/").put(LOCATION, "proxy_pass http://@upstream@/;"),
        "base-url",
    ),
    "nginx: plain HTTP is served": (
        NGINX.put(
            BEFORE, PLAIN_HTTP + "    location / {\n        proxy_pass http://@upstream@;\n    }\n}"
        ),
        "no-redirect",
    ),
    "nginx: nobody is let in": (NGINX.add(LOCATION, "deny all;"), "access-refused"),
    "nginx: GET and POST only": (
        NGINX.add(LOCATION, "limit_except GET POST {\n    deny all;\n}"),
        "method-refused",
    ),
    "nginx: a password of its own": (
        NGINX.add(LOCATION, 'auth_basic "Lab";', "auth_basic_user_file /dev/null;"),
        "login-in-front",
    ),
    "nginx: Jupyter is elsewhere": (
        NGINX.put(LOCATION, "proxy_pass http://127.0.0.1:1;"),
        "upstream-down",
    ),
    "nginx: ten requests a minute": (
        NGINX.add(BEFORE, "limit_req_zone $binary_remote_addr zone=few:1m rate=10r/m;").add(
            LOCATION, "limit_req zone=few burst=3 nodelay;", "limit_req_status 429;"
        ),
        "rate-limited",
    ),
    "nginx: an expired certificate": (replace(NGINX, certificate="expired"), "certificate"),
    "nginx: a certificate of nobody's": (replace(NGINX, certificate="stranger"), "certificate"),
    "nginx: half a chain": (replace(NGINX, certificate="bare"), "certificate"),
    "nginx: a certificate for another name": (replace(NGINX, certificate="other"), "certificate"),
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
"""Wrong configurations by what is wrong with them, each with the only thing to be found."""

OF_FIELDS = {
    *("origin-refused", "host-refused", "duplicate-host", "referer-refused", "cross-origin-open"),
    *("xsrf-lost", "cookies-lost", "cookie-flags", "forwarded-proto", "subprotocol-lost"),
    *("websocket-not-upgraded", "websocket-refused", "websocket-version"),
}
"""Symptoms of what a proxy does with header fields."""


def first_of_each_symptom() -> set[str]:
    """The first of each server and symptom: the mends of the others are the same."""
    first: dict[tuple[str, str], str] = {}
    for name, (configuration, symptom) in WRONG.items():
        first.setdefault((configuration.server, symptom), name)
    return set(first.values())
