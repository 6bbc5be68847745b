"""Lines for labgate.toml, for the symptoms that labgate's own settings can cause.

Tested by tests/symptoms/test_mends.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_DOMAIN = """\
[site]
domains = ["@authority@"]
rewrite = "rewrite"
"""

_NAMED = """\
# On the command line: --domain @authority@
[site]
domains = ["@authority@"]
"""

_UPSTREAM = """\
[upstream]
url = "http://@upstream@@path@"
"""

LAUNCHED = """\
# labgate launches this Jupyter itself, and knows where it is: no line is missing.
# `labgate status` tells what it does, and `labgate logs` why it does not answer.
"""
"""For ``upstream-down``, where an address would only keep labgate from launching it."""

PORT = """\
[listen]
https_port = @port@
"""
"""For ``unreachable`` on this machine: other machines are none of its business."""

TLS_FILES = """\
# ACME certifies no local name and no address: give a certificate of your own.
[tls]
cert = ["/etc/labgate/fullchain.pem"]
key = ["/etc/labgate/privkey.pem"]
"""
"""For ``certificate`` where ACME is of no use."""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": """\
[listen]
bind = ["0.0.0.0", "::"]
https_port = @port@
""",
        "certificate": """\
# labgate obtains one itself; or give your own in [tls].
[acme]
email = "me@example.org"
""",
        "no-redirect": """\
[listen]
http_port = 80
""",
        "host-refused": _DOMAIN,
        "origin-refused": _DOMAIN,
        "host-not-served": _NAMED,
        "origin-not-served": _NAMED,
        "websocket-refused": """\
# For programs that send neither Origin nor token; browsers always send an Origin.
[site]
websocket_without_origin = true
""",
        "header-limit": """\
[limits]
head = 131072
""",
        "upstream-down": _UPSTREAM,
        "upstream-timeout": """\
# 0 waits for as long as the client does.
[upstream]
response_seconds = 0.0
""",
        "base-url": _UPSTREAM,
        "access-refused": """\
[access]
allow = ["192.0.2.0/24", "2001:db8::/32"]
trusted_proxies = ["127.0.0.1"]
""",
        "login-in-front": """\
# labgate's own password; without the key Jupyter alone asks for a login.
# To keep the password, examine what is behind it: labgate doctor http://@upstream@
# Take out: htpasswd …
[access]
""",
        "rate-limited": """\
# For 429 the failed logins of an address are counted, for 503 its requests.
[access]
login_failures = 30

[limits]
requests_per_address = 1000
""",
    }
)
"""By the identifier of a symptom."""

BEHIND_A_PROXY: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(("host-not-served", "origin-not-served"), "And, unless it is named already,")
)
"""How labgate's lines go together with those of a proxy in front of it, where both are needed."""
