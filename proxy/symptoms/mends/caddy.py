"""Lines for a Caddyfile, checked with Caddy 2.6 by tests/symptoms/test_mends.py.

Caddy passes fields on, upgrades WebSockets and sends X-Forwarded-Proto by itself: mostly a line
has to go. From 2.11 on it sets Host where the upstream is an HTTPS one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_AS_SENT = """\
# In the reverse_proxy of Jupyter. Jupyter compares Origin and Referer with Host: all three must
# arrive as the browser sent them.
# Take out: header_up Origin …
# Take out: header_up -Origin
# Take out: header_up Referer …
header_up Host {http.request.hostport}
"""

_CHECKED_REWRITE = """\
# In the site block. Only this site's own Origin and Referer become Jupyter's; those of other
# sites arrive as they are, so that Jupyter refuses them.
@other_name not header_regexp Host (?i)^@authority-pattern@$
respond @other_name 421
@as_jupyter header_regexp Origin (?i)^https?://@upstream-pattern@$
request_header @as_jupyter Origin null
@own_origin header_regexp Origin (?i)^@origin-pattern@$
request_header @own_origin Origin http://@upstream@
@refers_to_jupyter header_regexp Referer (?i)^https?://@upstream-pattern@(/|$)
request_header @refers_to_jupyter Referer null
@own_page header_regexp own_page Referer (?i)^@origin-pattern@(/.*)?$
request_header @own_page Referer http://@upstream@{re.own_page.1}
# In the reverse_proxy of Jupyter:
header_up Host {upstream_hostport}
"""

_WHOLE_PATH = """\
# In the site block: handle instead of handle_path, and nothing that changes the path.
# Take out: uri …
# Take out: rewrite …
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": """\
# In the site block: Caddy then listens on every address.
# Take out: bind …
""",
        "certificate": """\
# In the site block; without a tls line Caddy obtains a certificate itself.
tls /etc/letsencrypt/live/@domain@/fullchain.pem /etc/letsencrypt/live/@domain@/privkey.pem
""",
        "no-redirect": """\
# Beside the site block; Caddy does it by itself, unless auto_https is off.
http://@domain@ {
    redir https://@authority@{uri} 308
}
""",
        "host-refused": _CHECKED_REWRITE,
        "duplicate-host": """\
# In the reverse_proxy of Jupyter:
# Take out: header_up +Host …
header_up Host {http.request.hostport}
""",
        "host-not-served": _AS_SENT,
        "origin-refused": _AS_SENT,
        "origin-not-served": _AS_SENT,
        "referer-refused": _AS_SENT,
        "cross-origin-open": _AS_SENT,
        "xsrf-lost": """\
# In the reverse_proxy of Jupyter: Caddy passes both on by itself.
# Take out: header_up -X-XSRFToken
# Take out: header_up -Cookie
""",
        "cookies-lost": """\
# In the reverse_proxy of Jupyter: Caddy passes both on by itself.
# Take out: header_up -Cookie
# Take out: header_up Cookie …
# Take out: header_down -Set-Cookie
""",
        "cookie-flags": """\
# In the reverse_proxy of Jupyter: its own flags are right, once it knows about HTTPS.
# Take out: header_down Set-Cookie …
""",
        "websocket-not-upgraded": """\
# In the reverse_proxy of Jupyter: Caddy upgrades by itself.
# Take out: header_up -Upgrade
# Take out: header_up -Connection
# Take out: header_up Connection …
""",
        "websocket-refused": """\
# In the reverse_proxy of Jupyter, and in every other that leads to it:
# Take out: header_up -Origin
# Take out: header_up Origin …
# Take out: header_up -Cookie
header_up Host {http.request.hostport}
""",
        "websocket-version": """\
# In the reverse_proxy of Jupyter:
# Take out: header_up Sec-WebSocket-Version …
""",
        "subprotocol-lost": """\
# In the reverse_proxy of Jupyter:
# Take out: header_up -Sec-WebSocket-Protocol
# Take out: header_down -Sec-WebSocket-Protocol
""",
        "idle-timeout": """\
# In the reverse_proxy of Jupyter: Caddy ends no silent stream by itself.
# Take out: stream_timeout …
""",
        "body-limit": """\
# In the site block: Caddy has no limit by itself.
# Take out: request_body …
""",
        "buffered": """\
# In the reverse_proxy of Jupyter:
# Take out: buffer_requests
# Take out: buffer_responses
# Take out: request_buffers …
# Take out: response_buffers …
flush_interval -1
""",
        "compression": """\
# In the site block: what Jupyter sends goes on as it is.
# Take out: encode …
""",
        "download-cut": """\
# In the reverse_proxy of Jupyter:
flush_interval -1
transport http {
    read_timeout 0
}
""",
        "path-decoded": _WHOLE_PATH,
        "header-limit": """\
# In the global options: as much as Jupyter takes.
servers {
    max_header_size 64KB
}
""",
        "forwarded-proto": """\
# In the reverse_proxy of Jupyter:
header_up X-Forwarded-Proto {http.request.scheme}
""",
        "lab-cached": """\
# In the site block:
# Take out: header Cache-Control …
header @path@lab* Cache-Control no-cache
""",
        "upstream-down": """\
# In the site block: 503 instead of 502 and 504, so that JupyterLab tries again.
handle_errors {
    @away expression `{err.status_code} in [502, 504]`
    header @away Retry-After 5
    respond @away "Jupyter does not answer." 503
}
""",
        "upstream-timeout": """\
# In the reverse_proxy of Jupyter:
transport http {
    response_header_timeout 0
}
""",
        "base-url": _WHOLE_PATH,
        "login-refused": """\
# In the reverse_proxy of Jupyter, only if the token is right: it comes in this field. Where Caddy
# asks for a password of its own (basic_auth), that is in it; log in by the form of /login then.
# Take out: header_up -Authorization
# Take out: header_up Authorization …
""",
        "login-in-front": """\
# In the site block: Jupyter has a login of its own.
# To keep the password, examine what is behind it: labgate doctor http://@upstream@
# Take out: basicauth …
# Take out: basic_auth …
""",
        "rate-limited": """\
# In the site block: the page of JupyterLab alone asks for 81 files.
# Take out: rate_limit …
""",
    }
)
"""By the identifier of a symptom."""
