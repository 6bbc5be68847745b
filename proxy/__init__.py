"""labgate: one Jupyter server on its own domain.

The life of a request, in order. Each line names the file that does the step::

    1. A client connects.
       net.listener                 accepts; on a plain port the event loop does that itself
       net.limits                   counts the connection; one too many is reset
       net.pending_connection       reads the PROXY protocol's header; starts TLS with tls.context
       http1.server                 makes the connection's object; its dispatch gets every request
       http2.negotiated_connection  with listen.http2: HTTP/2 or HTTP/1.1, as the handshake chose
    2. A request arrives.
       http1.server_connection      speaks HTTP/1.1; refuses a malformed head
       http1.request_parser         finds one whole head at a time; rules.syntax checks its octets
       rules.head                   the head as a value; rules.framing tells how the content ends
       http1.request_body           the content as it arrives; http1.chunked_body if in chunks
       routes.served_routes         the server's dispatch: leads to the dispatcher of Jupyter, or
                                    to that of the one that rules.route_choice finds
       proxying.dispatcher          makes a record (observe.record) and a handler for the request;
                                    rules.client finds its client behind proxies that are trusted
       inspector.recorder           while the inspector is on: gives the record what captures it
       proxying.request_handler     leads the request from here to its end
    3. labgate decides. What every handler uses for that is in proxying.services.
       proxying.decision_cache      returns its decision on the same fields before, or asks
       rules.decide                 which returns one of these:
         Redirect, Refuse           proxying.responses makes it; a refusal is a web.page for people
         Respond                    short_response makes it; http1.response_writer sends all three
         Forward, Tunnel, Internal  the request goes to an upstream:
       proxying.router              which one: Jupyter, or labgate's own web.app
       net.limits                   counts the request; one too many gets 503
       access.access_control        lets the client in, or refuses as the rules do
       proxying.stored_response     sends a static file of the cache; then step 5
       proxying.pool                takes the idle connection that proxying.pool_rules choose,
       http1.client_connection      (of labgate as a client) if it is usable; or dials a new one
    4. The request goes up, the response comes down.
       proxying.forwarder           sends the request
       proxying.decision_cache      returns the field lines of the same fields before, or asks
       rules.request                which fields go up; http1.request_writer makes lines of them
       http1.client_connection      writes head and content to the upstream
       http1.response_parser        reads the response; rules.response_faults checks its head
       proxying.forwarder           receives head, content and end (messages.Receiver)
       rules.response               what goes down
       compression                  compresses the content if the client accepts that
       http1.response_writer        frames the response and writes it to the client
    5. The request ends.
       proxying.result              what the forwarder reports to the handler; after a failure also
                                    whether the request may be sent once more
       proxying.responses           after a failure: 502, 503 or 504, as errors says, unless one has
                                    begun; proxying.outage logs the failures of one outage once
       proxying.page_deadline       fails the pages that a silent upstream does not send
       proxying.request_handler     completes the record and calls the observers:
       observe.access_log           writes a line
       observe.traffic              counts; measures reads it for the metrics

Whatever ends a request ends it in ``proxying.request_handler``, which alone completes the record:
a result of the forwarder, a client that leaves (``cancel``), or a fault of labgate's own
(``fail``). A limit of time is checked by whoever waits; it fails the content or the upstream's
connection, and so becomes such a result. ``.github/ARCHITECTURE.md`` lists these limits.

A Tunnel (WebSocket) takes the same way with a new connection. When the upstream responds 101,
``proxying.forwarder`` reports a ``proxying.result`` with the upstream's transport.
``proxying.request_handler`` then sends the 101, which makes ``http1.upgraded_connection`` the
client's side, and has ``proxying.open_requests`` open a ``proxying.tunnel``, which passes bytes
both ways; on a silent one ``proxying.tunnel_keepalive`` adds pings to them, between frames.

Internal is a path of labgate's own. ``rules.decide.own_path`` finds ``/.labgate/health`` and those
of readiness and certificate challenges, ``rules.decide.logout`` the logout. The upstream is
``web.in_process``, which leads to ``web.app``, and there for example to ``web.health``.

``edge`` gives each ``http1.server`` its dispatch, ``reporting`` the handlers their observers.
Twice a second ``app`` has the connections to clients and the pools enforce their timeouts.
``admin`` shows what ``inspector.recorder`` captured, on listeners of its own. ``cache`` keeps
static files, compressed.

Between a front, which speaks with clients, and ``proxying`` stand the interfaces of ``messages``:
no bytes of HTTP/1.1 cross them. So there are more fronts: with ``listen.http2``,
``http2.server_connection`` serves the clients that chose HTTP/2; with ``listen.server =
"aiohttp"``, ``web.front`` has aiohttp's server in the place of ``http1``, and an aiohttp
application of somebody else can mount the proxy. ``rules`` decides and does no I/O. Beside the way
of a request are

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
