"""The container's own health check: is the labgate configured like this one serving?

``python -m proxy.observe.health`` reads the same configuration as ``labgate serve``,
asks ``/.labgate/health`` over loopback and exits 0 or 1. It needs no curl in the image.
"""

from __future__ import annotations

import http.client
import ssl
import sys

from proxy.config import load
from proxy.errors import UsageError
from proxy.rules.decide import HEALTH
from proxy.settings import Settings

TIMEOUT_SECONDS = 2.0


def check(settings: Settings) -> str:
    """Why labgate is not healthy; empty when it is."""
    address = settings.bind[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
    connection: http.client.HTTPConnection
    if settings.listen.tls:
        # It is our own certificate, for a name that loopback does not have.
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(
            host, settings.https_port, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, settings.http_port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", HEALTH.decode("ascii"))
        status = connection.getresponse().status
    except OSError as error:
        return f"labgate does not answer on {host}: {error}"
    finally:
        connection.close()
    return "" if status == 200 else f"labgate answers {status}"


def main() -> int:
    """Exit code 0 when healthy, 1 when not, 2 for a configuration that cannot be read."""
    try:
        problem = check(load({}))
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    if problem:
        print(problem, file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
