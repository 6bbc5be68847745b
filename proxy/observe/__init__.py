"""Access log, metrics and health of labgate.

- ``record``      the record of one request, and the observers that receive it
- ``access_log``  writes one line for each request
- ``access_line`` what that line says, as text and as facts
- ``traffic``     counts requests by outcome and status
- ``metrics``     collects certificates and traffic for Prometheus (served by ``proxy.web.metrics``)
- ``health``      the health check of the container image (``python -m proxy.observe.health``)
"""
