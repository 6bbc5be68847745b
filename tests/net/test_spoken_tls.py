"""Whether TLS is spoken at a port: also by a server that refuses the handshake."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from proxy.net.spoken_tls import speaks_tls
from tests.certificates import pair
from tests.e2e.programs import free_port
from tests.refusing_tls import refusing_tls
from tests.upstreams import OK, says, upstream


@pytest.fixture
def serving(tmp_path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(tmp_path / "pair", "127.0.0.1"))
    return context


async def test_a_certificate_that_nobody_trusts(serving: ssl.SSLContext) -> None:
    async with upstream(says(OK), context=serving) as server:
        assert await speaks_tls("127.0.0.1", server.address.port, 10)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_wanted(
    version: ssl.TLSVersion, serving: ssl.SSLContext
) -> None:
    serving.verify_mode, serving.maximum_version = ssl.CERT_REQUIRED, version
    with refusing_tls(serving) as port:
        assert await speaks_tls("127.0.0.1", port, 10)


async def test_a_server_knows_only_other_names(serving: ssl.SSLContext) -> None:
    def refuse(*_: object) -> int:
        return ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    serving.sni_callback = refuse
    with refusing_tls(serving) as port:
        assert await speaks_tls("localhost", port, 10)


async def test_another_protocol() -> None:
    async with upstream(says(OK, close=True)) as server:
        assert not await speaks_tls("127.0.0.1", server.address.port, 1)


async def test_nobody_listens() -> None:
    assert not await speaks_tls("127.0.0.1", free_port(), 10)
