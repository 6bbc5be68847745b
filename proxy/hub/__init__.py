"""The proxy of a JupyterHub: many upstreams, which the Hub adds and removes while it runs.

It has the flags, the API and the semantics of configurable-http-proxy (CHP), which
``tests/hub/differences.py`` compares with.

In the order of a start:

- ``options``      what the command line says
- ``api_tls``      TLS of the API's listener
- ``targets``      where a route leads
- ``journal``      the routes on the disk
- ``route_table``  the routes, and the connections of those in use
- ``sites``        what the rules and the limits are in front of a Hub
- ``router``       the route of a request
- ``error_pages``  the pages for what has no route or does not answer, and the health check
- ``api``          the Hub's API: list, add and remove routes
- ``metrics``      for Prometheus, under CHP's names and labgate's
- ``listeners``    what is listened on, and the loops that serve it
- ``hub_proxy``    starts and stops all of it
"""
