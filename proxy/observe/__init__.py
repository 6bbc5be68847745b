"""What can be seen of labgate from outside.

- ``record``  one finished exchange, and who is told of it
- ``access_log``  the access log's line
- ``sparing`` log lines that a flood would repeat without end
- ``traffic`` how many exchanges there were, and what became of them
- ``metrics`` certificates and traffic as Prometheus' collectors (``proxy.web.metrics`` serves them)
- ``notify``  systemd's readiness protocol
- ``health``  the container's own health check (``python -m proxy.observe.health``)
"""
