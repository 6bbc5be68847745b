"""Lines for Traefik's file provider (YAML), tried with Traefik 3.7 by tests/doctor/test_traefik.py.

``jupyter`` is the name of the router and of the service, ``websecure`` that of the entry point.
Traefik passes Host and the other fields on, upgrades WebSockets and sends X-Forwarded-Proto by
itself: mostly a line has to go. ``Take out:`` names a key by the last parts of its path, whatever
the middleware that has it is called.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NAME_TOO = "# If a middleware has no other line, remove its name from the router, too.\n"

_AS_SENT = f"""\
# Dynamic configuration. Jupyter compares Origin and Referer with Host: all three must arrive as
# the browser sent them.
{_NAME_TOO}\
# Take out: customRequestHeaders.Host
# Take out: customRequestHeaders.Origin
# Take out: customRequestHeaders.Referer
http:
  services:
    jupyter:
      loadBalancer:
        passHostHeader: true
"""

_BY_ITSELF = f"""\
# Dynamic configuration: Traefik does it right by itself.
{_NAME_TOO}"""

_ENTRY_POINT = """\
# Static configuration:
entryPoints:
  websecure:
    address: ":@port@"
    http:
      tls: {}
"""

_SERVER = f"""\
# Dynamic configuration: the address without a path, and nothing that changes the path.
{_NAME_TOO}\
# Take out: stripPrefix
# Take out: stripPrefixRegex
# Take out: replacePath
# Take out: replacePathRegex
# Take out: addPrefix
http:
  routers:
    jupyter:
      rule: "Host(`@domain@`) && PathPrefix(`@path@`)"
      service: jupyter
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
        "host-refused": _AS_SENT,
        "host-not-served": _AS_SENT,
        "origin-refused": _AS_SENT,
        "origin-not-served": _AS_SENT,
        "referer-refused": _AS_SENT,
        "cross-origin-open": _AS_SENT,
        "xsrf-lost": _BY_ITSELF
        + """\
# Take out: customRequestHeaders.X-XSRFToken
# Take out: customRequestHeaders.Cookie
""",
        "cookies-lost": _BY_ITSELF
        + """\
# Take out: customRequestHeaders.Cookie
# Take out: customResponseHeaders.Set-Cookie
""",
        "websocket-not-upgraded": _BY_ITSELF
        + """\
# Take out: customRequestHeaders.Upgrade
# Take out: customRequestHeaders.Connection
""",
        "websocket-refused": _AS_SENT.replace(
            "http:\n", "# Take out: customRequestHeaders.Cookie\nhttp:\n"
        ),
        "websocket-version": _BY_ITSELF
        + """\
# Take out: customRequestHeaders.Sec-WebSocket-Version
""",
        "subprotocol-lost": _BY_ITSELF
        + """\
# Take out: customRequestHeaders.Sec-WebSocket-Protocol
# Take out: customResponseHeaders.Sec-WebSocket-Protocol
""",
        "body-limit": f"""\
# Dynamic configuration: Traefik has no limit by itself.
{_NAME_TOO}\
# Take out: buffering
# Static configuration: an upload must be complete within this time, 60 s unless it is set; 0 is
# no timeout.
entryPoints:
  websecure:
    transport:
      respondingTimeouts:
        readTimeout: 0
""",
        "buffered": f"""\
# Dynamic configuration: answers go out at once.
{_NAME_TOO}\
# Take out: buffering
http:
  services:
    jupyter:
      loadBalancer:
        responseForwarding:
          flushInterval: "-1ms"
""",
        "download-cut": """\
# Static configuration: an answer must be complete within this time; 0 is no timeout.
entryPoints:
  websecure:
    transport:
      respondingTimeouts:
        writeTimeout: 0
""",
        "path-decoded": """\
# Static configuration: what is false here is refused with 400; in 3.6.4 to 3.6.6 all of it was
# unless it was set.
entryPoints:
  websecure:
    http:
      encodedCharacters:
        allowEncodedSlash: true
        allowEncodedPercent: true
        allowEncodedSemicolon: true
        allowEncodedQuestionMark: true
        allowEncodedHash: true
""",
        "header-limit": """\
# Static configuration, in bytes: 1 MiB unless it is set.
entryPoints:
  websecure:
    http:
      maxHeaderBytes: 1048576
""",
        "forwarded-proto": f"""\
# Dynamic configuration: Traefik sets it by itself.
{_NAME_TOO}\
# Take out: customRequestHeaders.X-Forwarded-Proto
# Static configuration, where another proxy in front terminates TLS, with its address:
entryPoints:
  websecure:
    forwardedHeaders:
      trustedIPs: ["127.0.0.1/32"]
""",
        "lab-cached": _BY_ITSELF
        + """\
# Take out: customResponseHeaders.Cache-Control
""",
        "sso-redirect": """\
# Dynamic configuration: only pages are sent to the login, calls get 401. /oauth2/auth of
# oauth2-proxy answers so, and redirects nobody. Anybody can send a request as a call: give this
# router the entryPoints, the tls and the other middlewares of the router jupyter, too.
http:
  routers:
    jupyter-calls:
      rule: "Host(`@domain@`) && PathPrefix(`@path@`) && !Header(`Sec-Fetch-Mode`, `navigate`)"
      priority: 1000
      service: jupyter
      middlewares: ["login-for-calls"]
  middlewares:
    login-for-calls:
      forwardAuth:
        address: "http://127.0.0.1:4180/oauth2/auth"
        trustForwardHeader: false
""",
        "upstream-down": _SERVER,
        "upstream-timeout": """\
# Dynamic configuration, in the serversTransport of Jupyter's service: 0 is no timeout.
http:
  serversTransports:
    jupyter:
      forwardingTimeouts:
        responseHeaderTimeout: 0
""",
        "base-url": _SERVER,
        "login-refused": _BY_ITSELF
        + """\
# Take out: customRequestHeaders.Authorization
""",
        "access-refused": """\
# Dynamic configuration, in the middleware that has the list already (ipWhiteList in Traefik 2): the
# networks of your clients. Behind another proxy Traefik sees that one's address, unless ipStrategy
# says which address in X-Forwarded-For is the client's.
http:
  middlewares:
    jupyter-clients:
      ipAllowList:
        sourceRange: ["192.0.2.0/24", "2001:db8::/32"]
""",
        "method-refused": _SERVER,
        "login-in-front": f"""\
# Dynamic configuration: Jupyter has a login of its own.
# To keep the password, examine what is behind it: labgate doctor http://@upstream@
{_NAME_TOO}\
# Take out: basicAuth
# Take out: digestAuth
""",
        "rate-limited": f"""\
# Dynamic configuration: the page of JupyterLab alone asks for 81 files.
{_NAME_TOO}\
# Take out: rateLimit
# Take out: inFlightReq
""",
    }
)
"""By the identifier of a symptom."""
