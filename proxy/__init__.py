"""labgate: one Jupyter server on its own domain.

The life of a request::

    listener ── TLS (SNI → certificate) ── edge.framing: one whole, well-formed head at a time
       └─ edge.protocol: a RequestHead, a Content to read, a Downstream to write to
            └─ edge.exchange ─ rules.decide(head, site) ─ gate: may it go on to Jupyter?
                 ├─ Redirect · Refuse ─► edge.answers, for people edge.page
                 ├─ Local: health, readiness, challenges ─► edge.local
                 ├─ Forward: rules.request → upstream.pool → upstream.http1
                 │           content up ───────────────┘      │
                 │           upstream.relay ◄─ rules.response ─┘   written as it arrives
                 └─ Tunnel:  the same, dialled before the client is answered;
                             after the 101 upstream.tunnel: raw bytes both ways
            └─ observe: Record → access log, --show-headers

``rules`` decides and never waits; everything that waits lives outside it. The folders,
in the order a request meets them: ``edge``, ``rules``, ``gate``, ``upstream``, ``observe`` and
``inspector``; ``certs`` and ``jupyter`` prepare the ground, ``cli`` is what people type,
``app`` wires it all together, ``workers`` does so in several processes, ``config`` says how,
``problems`` and ``effect`` what is wrong with that; ``output`` writes what people see, and
``instance`` is what only one process may have.
"""

__version__ = "0.1.0"
