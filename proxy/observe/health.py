"""The health check of the container image; it needs no curl.

``python -m proxy.observe.health`` reads the same configuration as ``labgate serve``, requests
``/.labgate/health`` over loopback and exits with 0 or 1.
Tested by tests/e2e/test_balancers.py.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import sys

from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.net.port_holder import reachable
from proxy.rules.decide import HEALTH_PATH
from proxy.rules.networks import Networks

TIMEOUT_SECONDS = 2.0


def why_unhealthy(settings: Settings) -> str:
    """Why labgate is not healthy; empty if it is."""
    host = reachable(settings.bind[0])
    port = settings.https_port if settings.listen.tls else settings.http_port
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = _channel(settings, host, port)
        connection.request("GET", HEALTH_PATH.decode("ascii"))
        status = connection.getresponse().status
    except OSError as error:
        return f"labgate does not answer on {host}: {error}"
    finally:
        connection.close()
    return "" if status == 200 else f"labgate answers {status}"


def _channel(settings: Settings, host: str, port: int) -> socket.socket:
    channel = socket.create_connection((host, port), TIMEOUT_SECONDS)
    try:
        access = settings.access
        if access.proxy_protocol and channel.getsockname()[0] in Networks(access.trusted_proxies):
            channel.sendall(b"PROXY UNKNOWN\r\n")
        if not settings.listen.tls:
            return channel
        # The certificate is labgate's own and does not name the loopback address.
        context = ssl._create_unverified_context()  # noqa: S323
        return context.wrap_socket(channel, server_hostname=host)
    except BaseException:
        channel.close()
        raise


def main() -> int:
    """Exit code 0 when healthy, 1 when not, 2 for a configuration that cannot be read."""
    try:
        problem = why_unhealthy(load({}))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
