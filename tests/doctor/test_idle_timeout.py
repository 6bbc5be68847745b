"""A silent WebSocket is ended by each server's short timeout, and no more once it is mended."""

from __future__ import annotations

import ssl

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from proxy.symptoms.model import mend
from tests.doctor.configuration import Configuration
from tests.doctor.configurations import LOCATION, NGINX
from tests.doctor.conftest import Start
from tests.doctor.other_configurations import APACHE, DEFAULTS, HAPROXY, VIRTUAL_HOST
from tests.doctor.proxy_program import Proxy
from tests.e2e.programs import TOKEN

pytestmark = [pytest.mark.proxies, pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

SILENT_SECONDS = 6.0
"""Twice as long as the timeouts here."""

SHORT = {
    "nginx": NGINX.put(LOCATION, "proxy_read_timeout 3s;"),
    "haproxy": HAPROXY.put(DEFAULTS, "timeout tunnel 3s"),
    "apache": APACHE.without("ProxyTimeout").put(VIRTUAL_HOST, "TimeOut 3"),
}


@pytest.mark.parametrize("configuration", SHORT.values(), ids=SHORT)
def test_silence(configuration: Configuration, start: Start) -> None:
    proxy = start(configuration)
    assert not lives(proxy)
    proxy.restart(configuration.pasted(mend("idle-timeout", {})[configuration.server]))
    assert lives(proxy)


def lives(proxy: Proxy) -> bool:
    """Whether the events WebSocket, on which Jupyter sends no pings, outlives the silence."""
    # TLS 1.2: see ``Labgate.trusting_threads``.
    trusting = ssl.create_default_context(cafile=str(proxy.certificates.authority))
    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(
        f"wss://localhost:{proxy.port}/api/events/subscribe",
        ssl=trusting,
        additional_headers={"Authorization": f"token {TOKEN}"},
        ping_interval=None,
    ) as socket:
        try:
            socket.recv(timeout=SILENT_SECONDS)
        except TimeoutError:
            return True
        except ConnectionClosed:
            return False
    raise AssertionError("Jupyter said something")
