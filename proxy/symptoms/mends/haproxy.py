"""Lines for HAProxy, checked with HAProxy 2.6 by tests/symptoms/test_mends.py.

HAProxy passes fields on and upgrades WebSockets by itself: mostly a line has to go.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_AS_SENT = """\
# In the backend of Jupyter, and in the frontend. Jupyter compares Origin and Referer with Host:
# all three must arrive as the browser sent them, as HAProxy passes them on by itself.
# Take out: http-request set-header Host …
# Take out: http-request set-header Origin …
# Take out: http-request set-header Referer …
# Take out: http-request del-header Origin
"""

_CHECKED_REWRITE = """\
# In the backend of Jupyter. Only this site's own Origin and Referer become Jupyter's; those of
# other sites arrive as they are, so that Jupyter refuses them.
http-request deny deny_status 421 unless { req.hdr(Host) -i @authority@ @domain@:@port@ }
http-request set-header Origin null if { req.hdr(Origin) -i http://@upstream@ https://@upstream@ }
http-request set-header Origin http://@upstream@ if { req.hdr(Origin) -i @origin@ }
http-request replace-header Referer (?i)^https?://@upstream-pattern@(/.*)?$ null
http-request replace-header Referer (?i)^@origin-pattern@(/.*)?$ http://@upstream@\\1
http-request set-header Host @upstream@
"""

_WHOLE_PATH = """\
# In the backend of Jupyter, and in the frontend: nothing that changes the path.
# Take out: http-request set-path …
# Take out: http-request replace-path …
# Take out: http-request normalize-uri …
"""

_BIND = """\
# In the frontend; the file holds fullchain.pem and privkey.pem, one after the other.
bind :@port@,[::]:@port@ v6only ssl crt /etc/haproxy/@domain@.pem alpn h2,http/1.1
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": _BIND,
        "certificate": _BIND,
        "no-redirect": """\
# In the frontend:
bind :80
http-request redirect scheme https code 308 unless { ssl_fc }
""",
        "host-refused": _CHECKED_REWRITE,
        "duplicate-host": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request add-header Host …
""",
        "host-not-served": _AS_SENT,
        "origin-refused": _AS_SENT,
        "origin-not-served": _AS_SENT,
        "referer-refused": _AS_SENT,
        "cross-origin-open": _AS_SENT,
        "xsrf-lost": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request del-header X-XSRFToken
# Take out: http-request del-header Cookie
""",
        "cookies-lost": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request del-header Cookie
# Take out: http-response del-header Set-Cookie
""",
        "cookie-flags": """\
# In the backend of Jupyter, and in the frontend: its own flags are right, once it knows about
# HTTPS.
# Take out: http-response replace-header Set-Cookie …
""",
        "websocket-not-upgraded": """\
# In the backend of Jupyter, and in the frontend: HAProxy upgrades by itself.
# Take out: http-request del-header Upgrade
# Take out: http-request del-header Connection
# Take out: http-request set-header Connection …
""",
        "websocket-refused": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request set-header Host …
# Take out: http-request del-header Origin
# Take out: http-request del-header Cookie
""",
        "websocket-version": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request set-header Sec-WebSocket-Version …
""",
        "subprotocol-lost": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request del-header Sec-WebSocket-Protocol
# Take out: http-response del-header Sec-WebSocket-Protocol
""",
        "idle-timeout": """\
# In defaults:
timeout tunnel 1d
""",
        "body-limit": """\
# In the backend of Jupyter, and in the frontend: HAProxy has no limit by itself.
# Take out: http-request deny deny_status 413 …
""",
        "buffered": """\
# In the backend of Jupyter, and in the frontend:
# Take out: option http-buffer-request
""",
        "extended-connect": """\
# In global: browsers open WebSockets by an upgrade again.
h2-workaround-bogus-websocket-clients
""",
        "compression": """\
# In the backend of Jupyter: what Jupyter sends goes on as it is.
# Take out: compression …
# Take out: filter compression
""",
        "download-cut": """\
# In defaults:
timeout client 1d
timeout server 1d
""",
        "path-decoded": _WHOLE_PATH,
        "header-limit": """\
# In global: as much as Jupyter takes; a head must fit into one buffer.
tune.bufsize 65536
""",
        "forwarded-proto": """\
# In the frontend:
http-request set-header X-Forwarded-Proto https if { ssl_fc }
""",
        "lab-cached": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request cache-use …
# Take out: http-response cache-store …
# Take out: http-response set-header Cache-Control …
""",
        "upstream-down": """\
# In the backend of Jupyter:
server jupyter @upstream@
""",
        "upstream-timeout": """\
# In defaults:
timeout server 1d
""",
        "base-url": _WHOLE_PATH,
        "login-refused": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request del-header Authorization
""",
        "method-refused": """\
# In the backend of Jupyter, and in the frontend:
# Take out: http-request deny if …
""",
        "login-in-front": """\
# In the backend of Jupyter, and in the frontend: Jupyter has a login of its own.
# To keep the password, examine what is behind it: labgate doctor http://@upstream@
# Take out: http-request auth …
""",
        "rate-limited": """\
# In the backend of Jupyter, and in the frontend: the page of JupyterLab alone asks for 81 files.
# Take out: http-request deny deny_status 429 …
""",
    }
)
"""By the identifier of a symptom."""
