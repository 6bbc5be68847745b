"""Lines for nginx, checked with nginx 1.22 by tests/symptoms/test_mends.py.

A location that has one ``proxy_set_header`` inherits none from the server block, so all of them
belong into the location of Jupyter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_AS_SENT = """\
# In the location of Jupyter. Jupyter compares Origin and Referer with Host: all three must
# arrive as the browser sent them, with the port.
# Take out: proxy_set_header Origin …
# Take out: proxy_set_header Referer …
proxy_set_header Host $http_host;
"""

_CHECKED_REWRITE = """\
# Before the server block. Only this site's own Origin and Referer become Jupyter's; those of
# other sites arrive as they are, so that Jupyter refuses them.
map $http_origin $jupyter_origin {
    default $http_origin;
    "~*^@origin-pattern@$" "http://@upstream@";
    "~*^https?://@upstream-pattern@$" "null";
}
map $http_referer $jupyter_referer {
    default $http_referer;
    "~*^@origin-pattern@(?<below_origin>/.*)?$" "http://@upstream@$below_origin";
    "~*^https?://@upstream-pattern@(/|$)" "null";
}
# In the server block: no other name is passed on as Jupyter's.
if ($http_host !~* "^@authority-pattern@$") {
    return 421;
}
# In the location of Jupyter:
proxy_set_header Host @upstream@;
proxy_set_header Origin $jupyter_origin;
proxy_set_header Referer $jupyter_referer;
"""

_UPGRADE = """\
# Before the server block:
map $http_upgrade $connection_upgrade {
    default upgrade;
    ""      "";
}
# In the location of Jupyter, and in every other that leads to it: kernels, terminals, events
# and language servers all use WebSockets.
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
"""

_WHOLE_PATH = """\
# In the location of Jupyter, with nothing after the port: not even a slash.
# Take out: rewrite …
proxy_pass http://@upstream@;
"""

_PATIENT = """\
# In the location of Jupyter:
proxy_read_timeout 1d;
proxy_send_timeout 1d;
"""

_LISTEN = """\
# In the server block:
listen @port@ ssl;
listen [::]:@port@ ssl;
server_name @domain@;
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": _LISTEN,
        "certificate": """\
# In the server block: fullchain.pem has the certificates in between, cert.pem lacks them.
ssl_certificate /etc/letsencrypt/live/@domain@/fullchain.pem;
ssl_certificate_key /etc/letsencrypt/live/@domain@/privkey.pem;
""",
        "no-redirect": """\
# Before the server block:
server {
    listen 80;
    listen [::]:80;
    server_name @domain@;
    return 308 https://@authority@$request_uri;
}
""",
        "host-refused": _CHECKED_REWRITE,
        "duplicate-host": """\
# In the location of Jupyter: one line for Host, and no other.
# Take out: proxy_set_header Host …
proxy_set_header Host $http_host;
""",
        "host-not-served": _AS_SENT,
        "origin-refused": _AS_SENT,
        "origin-not-served": _AS_SENT,
        "referer-refused": _AS_SENT,
        "cross-origin-open": _AS_SENT,
        "xsrf-lost": """\
# In the location of Jupyter:
proxy_set_header X-XSRFToken $http_x_xsrftoken;
proxy_set_header Cookie $http_cookie;
""",
        "cookies-lost": """\
# In the location of Jupyter:
# Take out: proxy_hide_header Set-Cookie
proxy_set_header Cookie $http_cookie;
proxy_pass_header Set-Cookie;
""",
        "cookie-flags": """\
# In the location of Jupyter: JupyterLab has to read _xsrf, and nobody the login.
# Take out: proxy_cookie_flags …
proxy_cookie_flags _xsrf secure nohttponly samesite=lax;
proxy_cookie_flags ~^username- secure httponly samesite=lax;
""",
        "websocket-not-upgraded": _UPGRADE,
        "websocket-refused": """\
# In the location of Jupyter, and in every other that leads to it:
# Take out: proxy_set_header Origin …
proxy_set_header Host $http_host;
proxy_set_header Cookie $http_cookie;
""",
        "websocket-version": """\
# In the location of Jupyter:
proxy_set_header Sec-WebSocket-Version $http_sec_websocket_version;
""",
        "subprotocol-lost": """\
# In the location of Jupyter:
# Take out: proxy_hide_header Sec-WebSocket-Protocol
proxy_set_header Sec-WebSocket-Protocol $http_sec_websocket_protocol;
""",
        "idle-timeout": _PATIENT,
        "body-limit": """\
# In the server block: 0 is no limit. Jupyter has its own, 512 MiB.
client_max_body_size 0;
""",
        "buffered": """\
# In the location of Jupyter:
proxy_request_buffering off;
proxy_buffering off;
""",
        "compression": """\
# In the location of Jupyter: what Jupyter sends goes on as it is.
# Take out: gunzip …
# Take out: add_header Content-Encoding …
gzip off;
""",
        "download-cut": """\
# In the location of Jupyter:
proxy_read_timeout 1d;
proxy_send_timeout 1d;
proxy_buffering off;
""",
        "path-decoded": _WHOLE_PATH,
        "header-limit": """\
# In the server block: as much as Jupyter takes. A line must fit into one of the buffers.
large_client_header_buffers 4 64k;
""",
        "forwarded-proto": """\
# In the location of Jupyter:
proxy_set_header X-Forwarded-Proto $scheme;
""",
        "lab-cached": """\
# In the location of Jupyter:
# Take out: add_header Cache-Control …
expires off;
proxy_cache off;
""",
        "sso-redirect": """\
# At the top of the location that redirects to the login: only pages are sent there, calls get 401.
if ($http_sec_fetch_mode != "navigate") {
    return 401;
}
""",
        "upstream-down": """\
# In the location of Jupyter:
proxy_pass http://@upstream@;
# In the server block: 503 instead of 502 and 504, so that JupyterLab tries again.
error_page 502 504 =503 @jupyter_is_away;
location @jupyter_is_away {
    default_type text/plain;
    add_header Retry-After 5 always;
    return 503 "Jupyter does not answer.";
}
""",
        "upstream-timeout": _PATIENT,
        "base-url": _WHOLE_PATH,
        "login-refused": """\
# In the location of Jupyter, only if the token is right: it comes in this field. Where nginx asks
# for a password of its own (auth_basic), that is in it; log in by the form of /login then.
proxy_set_header Authorization $http_authorization;
""",
        "access-refused": """\
# In the location of Jupyter: the networks of your clients. With these lines, allow and deny of the
# server block do not count here. Behind another proxy nginx sees that one's address, unless
# set_real_ip_from names it.
# Take out: allow …
# Take out: deny …
allow 192.0.2.0/24;
allow 2001:db8::/32;
deny all;
""",
        "method-refused": """\
# In the location of Jupyter:
# Take out: limit_except …
""",
        "login-in-front": """\
# In the location of Jupyter, and in the server block: Jupyter has a login of its own.
# To keep the password, examine what is behind it: labgate doctor http://@upstream@
# Take out: auth_basic …
""",
        "rate-limited": """\
# In the location of Jupyter: the page of JupyterLab alone asks for 81 files.
# Take out: limit_req zone…
# Take out: limit_conn …
""",
    }
)
"""By the identifier of a symptom."""
