"""The right configuration of each server, and the wrong ones, each with what is wrong."""

from __future__ import annotations

from dataclasses import replace

from tests.doctor.configuration import Configuration
from tests.doctor.other_configurations import OTHERS, WRONG_OTHERS
from tests.doctor.proxy_program import LOGIN
from tests.doctor.traefik_configurations import TRAEFIK, WRONG_TRAEFIK

BEFORE, SERVER, LOCATION = (
    "Before the server block",
    "In the server block",
    "In the location of Jupyter",
)

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
RIGHT = {right.server: right for right in (NGINX, *OTHERS, TRAEFIK)}
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
    **WRONG_OTHERS,
    **WRONG_TRAEFIK,
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
