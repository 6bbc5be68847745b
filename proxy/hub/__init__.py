"""The proxy of a JupyterHub: many upstreams, which the Hub adds and removes while it runs.

It has the flags, the API and the semantics of configurable-http-proxy (CHP), which
``tests/hub/differences.py`` compares with.

In the order of a start:

- ``options``      what the command line says
- ``hub_proxy``    starts, hands over and stops all of it
- ``ports``        the listening sockets
- ``api_tls``      TLS of the API's listener
- ``public_tls``   TLS towards clients
- ``targets``      where a route leads
- ``journal``      the routes on the disk
- ``stored_route`` a route as a line of it
- ``hub_route``    a route as the Hub added it
- ``route_table``  the routes, and the connections of those in use
- ``shared_routes`` the same in all processes that serve
- ``succession``   the routes where one process takes over from another
- ``listeners``    the listener of the API, and that of the metrics
- ``api``          the Hub's API: list, add and remove routes
- ``created``      its answer to a call that added a route
- ``application``  what one process serves clients with
- ``sites``        what the rules and the limits are in front of a Hub
- ``router``       the route of a request
- ``destinations`` the target to which a captured request is sent again
- ``error_pages``  the pages for what has no route or does not answer, and the health check
- ``counts``       what a process counted
- ``metrics``      for Prometheus, under CHP's names and labgate's
- ``workers``      with ``--workers``: several processes with an application each
- ``worker``       one of them
- ``admin``        the admin socket: status, the inspector, reload, upgrade, stop
"""
