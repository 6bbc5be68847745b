"""Access log, metrics and health of labgate.

- ``record``        the record of one request, and the observers that receive it
- ``access_log``    writes one line for each request
- ``access_line``   what that line says, as text and as facts
- ``traffic``       counts requests and measures their times
- ``measurements``  what is counted and measured, and the sum over processes
- ``loop_lag``      how late the event loop is
- ``metrics``       metrics for Prometheus, made of these (served by ``proxy.web.metrics``)
- ``health``        the health check of the container image (``python -m proxy.observe.health``)
"""
