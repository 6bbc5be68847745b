"""What can be seen of labgate from outside.

- ``record``  one finished exchange, and who is told of it
- ``access``  the access log's line
- ``notify``  systemd's readiness protocol
- ``health``  the container's own health check (``python -m proxy.observe.health``)
"""
