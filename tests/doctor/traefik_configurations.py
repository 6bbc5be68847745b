"""Traefik as it should be set up, and wrongly."""

from __future__ import annotations

from dataclasses import replace

from tests.doctor.configuration import Configuration
from tests.doctor.traefik import DYNAMIC, STATIC
from tests.doctor.yaml_configuration import YamlConfiguration

TRAEFIK = YamlConfiguration(
    "traefik",
    {
        STATIC: (
            'entryPoints.web.address: "127.0.0.1:@http-port@"',
            'entryPoints.web.http.redirections.entryPoint.to: "websecure"',
            'entryPoints.websecure.address: "127.0.0.1:@port@"',
            "entryPoints.websecure.http.tls: {}",
            "entryPoints.websecure.transport.respondingTimeouts.readTimeout: 0",
        ),
        DYNAMIC: (
            'tls.certificates: [{"certFile": "@cert@", "keyFile": "@key@"}]',
            'http.routers.jupyter.rule: "Host(`localhost`)"',
            'http.routers.jupyter.entryPoints: ["websecure"]',
            'http.routers.jupyter.service: "jupyter"',
            'http.services.jupyter.loadBalancer.servers: [{"url": "http://@upstream@"}]',
        ),
    },
)
"""What is not here is right by itself: Host and everything else goes on as it came."""

SERVICE = "http.services.jupyter.loadBalancer"
REDIRECTIONS = "entryPoints.web.http.redirections"
PLAIN_ROUTER = (
    'http.routers.plain.rule: "Host(`localhost`)"',
    'http.routers.plain.entryPoints: ["web"]',
    'http.routers.plain.service: "jupyter"',
)
REQUEST, RESPONSE = "headers.customRequestHeaders", "headers.customResponseHeaders"
"""Where a middleware sets fields; an empty value removes one."""


def with_middleware(*lines: str) -> Configuration:
    """With what these lines say in middlewares that the router uses: each has one kind of them."""
    kinds = dict.fromkeys(line.partition(".")[0] for line in lines)
    names = ", ".join(f'"lab-{kind}"' for kind in kinds)
    return TRAEFIK.put(
        DYNAMIC,
        *(f"http.middlewares.lab-{line.partition('.')[0]}.{line}" for line in lines),
        f"http.routers.jupyter.middlewares: [{names}]",
    )


WRONG_TRAEFIK: dict[str, tuple[Configuration, str]] = {
    "Traefik: Host is Jupyter's": (
        TRAEFIK.put(DYNAMIC, f"{SERVICE}.passHostHeader: false"),
        "origin-refused",
    ),
    "Traefik: Host and Origin are always Jupyter's": (
        with_middleware(f'{REQUEST}.Origin: "http://@upstream@"').put(
            DYNAMIC, f"{SERVICE}.passHostHeader: false"
        ),
        "cross-origin-open",
    ),
    "Traefik: Origin is removed": (with_middleware(f'{REQUEST}.Origin: ""'), "cross-origin-open"),
    "Traefik: no Upgrade": (
        with_middleware(f'{REQUEST}.Upgrade: ""', f'{REQUEST}.Connection: ""'),
        "websocket-not-upgraded",
    ),
    "Traefik: no cookies": (with_middleware(f'{REQUEST}.Cookie: ""'), "cookies-lost"),
    "Traefik: no X-XSRFToken": (with_middleware(f'{REQUEST}.X-XSRFToken: ""'), "xsrf-lost"),
    "Traefik: whole bodies first": (
        with_middleware("buffering.maxRequestBodyBytes: 0"),
        "buffered",
    ),
    "Traefik: a path is stripped": (
        replace(with_middleware('stripPrefix.prefixes: ["/jupyter"]'), path="/jupyter/"),
        "base-url",
    ),
    "Traefik: calls are sent to a login page": (
        with_middleware(
            'redirectRegex.regex: "^https://[^/]+/api/(.*)"',
            'redirectRegex.replacement: "https://login.example.org/?next=/api/${1}"',
        ),
        "sso-redirect",
    ),
    "Traefik: GET and POST only": (
        TRAEFIK.put(
            DYNAMIC,
            'http.routers.jupyter.rule: "Host(`localhost`) && (Method(`GET`) || Method(`POST`))"',
        ),
        "method-refused",
    ),
    "Traefik: nobody is let in": (
        with_middleware('ipAllowList.sourceRange: ["192.0.2.1/32"]'),
        "access-refused",
    ),
    "Traefik: a password of its own": (
        with_middleware('basicAuth.users: ["lab:$apr1$x$0123456789abcdefghijk/"]'),
        "login-in-front",
    ),
    "Traefik: ten requests a minute": (
        with_middleware("rateLimit.average: 10", 'rateLimit.period: "1m"', "rateLimit.burst: 3"),
        "rate-limited",
    ),
    "Traefik: Jupyter is elsewhere": (
        TRAEFIK.put(DYNAMIC, f'{SERVICE}.servers: [{{"url": "http://127.0.0.1:1"}}]'),
        "upstream-down",
    ),
    "Traefik: its default certificate": (TRAEFIK.without("tls.certificates"), "certificate"),
}
"""Each with what is wrong, and with the only thing to be found."""

SEVERAL = (
    with_middleware(
        f'{REQUEST}.X-Forwarded-Proto: "http"',
        f'{REQUEST}.Sec-WebSocket-Protocol: ""',
        f'{RESPONSE}.Cache-Control: "max-age=3600"',
        "buffering.maxRequestBodyBytes: 1000000",
    )
    .put(
        STATIC,
        "entryPoints.websecure.http.encodedCharacters.allowEncodedSlash: false",
        "entryPoints.websecure.http.maxHeaderBytes: 4096",
    )
    .without(REDIRECTIONS)
    .put(DYNAMIC, *PLAIN_ROUTER),
    [
        *("path-decoded", "body-limit", "no-redirect", "header-limit", "forwarded-proto"),
        *("lab-cached", "subprotocol-lost"),
    ],
)
"""What can be wrong at the same time and hides nothing, in the order in which it is told."""
