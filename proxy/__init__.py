"""labgate: one Jupyter server on its own domain.

The life of a request::

    listener ── TLS (SNI → certificate) ── http1.request_parser: one whole head at a time
       └─ http1.server_connection: a RequestHead, a body to read, a client to answer
            └─ proxying.dispatcher ─ request_handler ─ rules.decide ─ access
                 ├─ Redirect · Refuse ─► proxying.responses, for people web.page
                 ├─ Internal: health, readiness, challenges, logout ─► the same Forward, to web.app
                 ├─ Forward: proxying.router, pool → rules.request → http1.client_connection
                 │           body up ──────────────────────┘      │
                 │       proxying.forwarder ◄─ rules.response ────┘   written as it arrives
                 └─ Tunnel:  the same, dialled before the client is answered;
                             after the 101 proxying.tunnel: raw bytes both ways
            └─ observe: Record → access log, --show-headers

``rules`` decides and never waits; everything that waits lives outside it. ``access`` is who
gets in. The folders, in the order a request meets them: ``net``, ``tls``, ``http1``,
``proxying``, ``rules``, ``access``, ``web``, ``observe`` and ``inspector``; ``symptoms`` says
in words what goes wrong; ``certs`` and ``jupyter`` prepare the ground, ``cli`` is what people
type, ``app`` wires it all together with what ``builders`` makes of the configuration,
``workers`` does so in several processes, ``config`` reads what people want, and ``runtime`` is
what everybody may use. ``messages`` are the words between a client's connection and the proxying.
"""

__version__ = "0.1.0"
