"""Lines for Apache, checked with Apache 2.4 by tests/symptoms/test_mends.py.

They need ``a2enmod proxy proxy_http headers rewrite ssl``; ``upgrade=websocket`` needs 2.4.47.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_AS_SENT = """\
# In the VirtualHost. Jupyter compares Origin and Referer with Host: all three must arrive as the
# browser sent them.
# Take out: RequestHeader set Host …
# Take out: RequestHeader set Origin …
# Take out: RequestHeader set Referer …
# Take out: RequestHeader unset Origin
ProxyPreserveHost On
"""

_CHECKED_REWRITE = """\
# In the VirtualHost. Only this site's own Origin and Referer become Jupyter's; those of other
# sites arrive as they are, so that Jupyter refuses them.
# Take out: RequestHeader set Host …
ProxyPreserveHost Off
RewriteEngine On
RewriteCond %{HTTP_HOST} !^@authority-pattern@$ [NC]
RewriteRule ^ - [R=421,L]
RequestHeader edit Origin "(?i)^https?://@upstream-pattern@$" "null"
RequestHeader edit Origin "(?i)^@origin-pattern@$" "http://@upstream@"
RequestHeader edit Referer "(?i)^https?://@upstream-pattern@(/.*)?$" "null"
RequestHeader edit Referer "(?i)^@origin-pattern@(/.*)?$" "http://@upstream@$1"
"""

_WHOLE_PATH = """\
# In the VirtualHost, instead of every other line for this path:
# Take out: RewriteRule …
AllowEncodedSlashes NoDecode
ProxyPass @path@ http://@upstream@@path@ upgrade=websocket nocanon flushpackets=on
"""

_PATIENT = """\
# In the VirtualHost, in seconds; for a WebSocket the longer one of it and TimeOut counts:
ProxyTimeout 86400
"""

_CERTIFICATE = """\
# In the VirtualHost: fullchain.pem has the certificates in between, cert.pem lacks them.
SSLCertificateFile /etc/letsencrypt/live/@domain@/fullchain.pem
SSLCertificateKeyFile /etc/letsencrypt/live/@domain@/privkey.pem
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": """\
# Outside of the VirtualHost:
Listen @port@
""",
        "certificate": _CERTIFICATE,
        "no-redirect": """\
# Outside of the VirtualHost:
<VirtualHost *:80>
    ServerName @domain@
    Redirect permanent / https://@authority@/
</VirtualHost>
""",
        "host-refused": _CHECKED_REWRITE,
        "duplicate-host": """\
# In the VirtualHost:
# Take out: RequestHeader add Host …
# Take out: RequestHeader set Host …
ProxyPreserveHost On
""",
        "host-not-served": _AS_SENT,
        "origin-refused": _AS_SENT,
        "origin-not-served": _AS_SENT,
        "referer-refused": _AS_SENT,
        "cross-origin-open": _AS_SENT,
        "xsrf-lost": """\
# In the VirtualHost: Apache passes both on by itself.
# Take out: RequestHeader unset X-XSRFToken
# Take out: RequestHeader unset Cookie
""",
        "cookies-lost": """\
# In the VirtualHost: Apache passes both on by itself.
# Take out: RequestHeader unset Cookie
# Take out: Header unset Set-Cookie
""",
        "cookie-flags": """\
# In the VirtualHost: its own flags are right, once it knows about HTTPS.
# Take out: Header edit Set-Cookie …
# Take out: Header always edit Set-Cookie …
""",
        "websocket-not-upgraded": _WHOLE_PATH,
        "websocket-refused": """\
# In the VirtualHost:
# Take out: RequestHeader unset Origin
# Take out: RequestHeader set Origin …
# Take out: RequestHeader unset Cookie
ProxyPreserveHost On
""",
        "websocket-version": """\
# In the VirtualHost:
# Take out: RequestHeader set Sec-WebSocket-Version …
""",
        "subprotocol-lost": """\
# In the VirtualHost:
# Take out: RequestHeader unset Sec-WebSocket-Protocol
# Take out: Header unset Sec-WebSocket-Protocol
""",
        "idle-timeout": _PATIENT,
        "download-cut": _PATIENT,
        "buffered": _WHOLE_PATH,
        "path-decoded": _WHOLE_PATH,
        "header-limit": """\
# In the VirtualHost, if it is the first of its port: as much as Jupyter takes, a field.
LimitRequestFieldSize 65536
""",
        "forwarded-proto": """\
# In the VirtualHost:
RequestHeader set X-Forwarded-Proto expr=%{REQUEST_SCHEME}
""",
        "lab-cached": """\
# In the VirtualHost:
# Take out: ExpiresDefault …
# Take out: ExpiresByType …
# Take out: Header set Cache-Control …
# Take out: CacheEnable …
""",
        "upstream-down": _WHOLE_PATH,
        "upstream-timeout": _PATIENT,
        "base-url": _WHOLE_PATH,
        "access-refused": """\
# In the VirtualHost, at its end: the networks of your clients. Behind another proxy Apache sees
# that one's address, unless RemoteIPInternalProxy names it.
# Take out: Require ip …
# Take out: Require not …
<Location "@path@">
    AuthMerging And
    Require ip 192.0.2.0/24 2001:db8::/32
</Location>
""",
        "method-refused": """\
# In the VirtualHost:
# Take out: AllowMethods …
""",
        "login-in-front": """\
# In the VirtualHost: Jupyter has a login of its own.
# To keep the password, examine what is behind it: labgate doctor http://@upstream@
# Take out: AuthType Basic
# Take out: Require valid-user
""",
        "login-refused": """\
# In the VirtualHost, only if the token is right: it comes in this field. Where Apache asks for a
# password of its own (AuthType Basic), that is in it; log in by the form of /login then.
# Take out: RequestHeader unset Authorization
""",
    }
)
"""By the identifier of a symptom."""
