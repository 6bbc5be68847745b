"""Lines for Traefik's file provider (YAML), written from the reference of Traefik 3.

No Traefik was there to check them with: tests/symptoms/test_mends.py holds only that they are
YAML. ``jupyter`` is the name of the router, the service and the middleware, ``websecure`` that of
the entry point.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_AS_SENT = """\
# Dynamic configuration. Jupyter compares Origin and Referer with Host: all three must arrive as
# the browser sent them. Take Host, Origin and Referer out of customRequestHeaders.
http:
  services:
    jupyter:
      loadBalancer:
        passHostHeader: true
        servers:
          - url: "http://@upstream@"
"""

_ENTRY_POINT = """\
# Static configuration:
entryPoints:
  websecure:
    address: ":@port@"
    http:
      tls: {}
"""

_PATIENT = """\
# Static configuration: 0 is no timeout.
entryPoints:
  websecure:
    transport:
      respondingTimeouts:
        readTimeout: 0
        writeTimeout: 0
"""

_SERVER = """\
# Dynamic configuration: the address without a path, and no stripPrefix or replacePath among the
# router's middlewares.
http:
  routers:
    jupyter:
      rule: "Host(`@domain@`) && PathPrefix(`@path@`)"
      entryPoints: ["websecure"]
      service: jupyter
      tls: {}
  services:
    jupyter:
      loadBalancer:
        servers:
          - url: "http://@upstream@"
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": _ENTRY_POINT,
        "certificate": """\
# Dynamic configuration: fullchain.pem has the certificates in between, cert.pem lacks them.
tls:
  certificates:
    - certFile: /etc/letsencrypt/live/@domain@/fullchain.pem
      keyFile: /etc/letsencrypt/live/@domain@/privkey.pem
""",
        "no-redirect": """\
# Static configuration:
entryPoints:
  web:
    address: ":80"
    http:
      redirections:
        entryPoint:
          to: websecure
          scheme: https
          permanent: true
""",
        "duplicate-host": _AS_SENT,
        "origin-refused": _AS_SENT,
        "referer-refused": _AS_SENT,
        "cross-origin-open": _AS_SENT,
        "idle-timeout": _PATIENT,
        "upstream-timeout": _PATIENT,
        "download-cut": _PATIENT,
        "buffered": """\
# Dynamic configuration: no buffering among the router's middlewares, and answers go out at once.
http:
  services:
    jupyter:
      loadBalancer:
        responseForwarding:
          flushInterval: "-1ms"
        servers:
          - url: "http://@upstream@"
""",
        "body-limit": """\
# Dynamic configuration: no buffering among the router's middlewares, or without a limit.
http:
  middlewares:
    jupyter:
      buffering:
        maxRequestBodyBytes: 0
""",
        "path-decoded": """\
# Static configuration: Traefik 3.6 and newer may refuse %2F and %25 in paths with 400.
entryPoints:
  websecure:
    http:
      sanitizePath: false
      encodedCharacters:
        allowEncodedSlash: true
        allowEncodedPercent: true
        allowEncodedSemicolon: true
        allowEncodedQuestionMark: true
        allowEncodedHash: true
""",
        "forwarded-proto": """\
# Dynamic configuration: no X-Forwarded-Proto in customRequestHeaders. Static configuration, where
# another proxy in front terminates TLS, with its address:
entryPoints:
  websecure:
    forwardedHeaders:
      trustedIPs: ["127.0.0.1/32"]
""",
        "upstream-down": _SERVER,
        "base-url": _SERVER,
        "rate-limited": """\
# Dynamic configuration: the page of JupyterLab alone asks for 81 files.
http:
  middlewares:
    jupyter:
      rateLimit:
        average: 100
        burst: 500
""",
    }
)
"""By the identifier of a symptom."""
