"""labgate: one Jupyter server on its own domain.

The life of a request, with the file that does each step::

    net.listener                        accepts the client's connection
     └ net.pending_connection           PROXY protocol; TLS, the certificate from tls.context
        └ http1.server_connection       the client's side of HTTP/1.1
           ├ http1.request_parser       finds one whole head at a time; rules.syntax checks it
           ├ routes.served_routes       with [[routes]] only: which Jupyter's, by Host and path
           └ proxying.dispatcher        every well-formed request of every listener
              └ proxying.request_handler      one request, from its head to the end
                 └ rules.decide               what to do; kept in proxying.decision_cache:
                    ├ Redirect, Refuse, Respond   proxying.responses; for browsers a web.page
                    └ Forward, Tunnel, Internal   goes to an upstream:
                       ├ proxying.router            which one: Jupyter, or labgate's own web.app
                       ├ access.access_control      whether this client may
                       ├ proxying.stored_response   a static file of the cache, without Jupyter
                       ├ proxying.pool              a connection: idle, or a new one
                       └ proxying.forwarder         request and response, as they arrive:
                          ├ rules.request             the head that goes up
                          ├ http1.request_body        its content (http1.chunked_body)
                          ├ http1.client_connection   the upstream's side of HTTP/1.1
                          ├ http1.response_parser     reads the response
                          ├ rules.response            the head that goes down
                          ├ compression               content in a coding that the client accepts
                          └ http1.response_writer     writes it to the client

A Tunnel (WebSocket) takes the same way, always over a new connection; after the response 101
``http1.upgraded_connection`` is the client's side, and ``proxying.tunnel`` passes bytes both ways.
Internal is a path of labgate's own, such as ``/.labgate/health``: ``rules.decide.own_path`` finds
it, and ``web.in_process`` is the upstream that leads to ``web.app`` and its ``web.health``. In the
end, the ``observe.record`` of the request goes to ``observe.access_log`` and ``observe.traffic``,
which ``measures`` reads for the metrics. While the inspector is on, ``inspector.recorder`` stands
between the client's side and the dispatcher and keeps a copy of what passes; ``admin`` shows it, on
listeners of its own. ``cache`` keeps static files, compressed.

Between a client's side and ``proxying`` stand the interfaces of ``messages``: no bytes of HTTP/1.1
cross them. So there can be other clients' sides: with ``listen.http2``,
``http2.server_connection`` speaks HTTP/2 with the clients that choose it in their TLS handshake;
with ``listen.server = "aiohttp"``, ``web.front`` has aiohttp's server in the place of
``http1.server_connection``, and an aiohttp application of somebody else can mount the proxy.
``rules`` decides and does no I/O. Beside the way of a request are

- ``cli``, what people type; ``config``, what they configure
- ``app``, which starts, reloads and stops everything; ``routes`` has what belongs to each Jupyter;
  ``builders`` makes its parts from the configuration, ``edge`` opens the public ports,
  ``web_app_upstream`` runs labgate's own application, ``reporting`` writes logs and captures;
  ``workers`` runs it in several processes, ``mount`` in somebody else's aiohttp application
- ``hub``, which puts the same parts together for the many upstreams of a JupyterHub
- ``check``, what would keep labgate from serving; ``service``, what a running labgate tells of
  itself, and is told to do
- ``certs``, certificates and their renewal, which ``certificate_service`` looks after while labgate
  runs; ``jupyter``, which launches and watches Jupyter
- ``symptoms``, what goes wrong between a browser and Jupyter, in words; ``doctor``, which looks
  for it
- ``errors`` and ``short_response``, which many of them raise and make; ``runtime``, what
  everybody may use: tasks, files, output
"""

__version__ = "0.1.0"
