"""Every way in which the upstream of a bench may be wrong names the option that mends it."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.cli.upstream_fault import upstream_fault
from proxy.net.upstream_address import UpstreamAddress
from proxy.net.upstream_tls import UpstreamTls
from tests.certificates import AUTHORITY, pair
from tests.e2e.programs import free_port
from tests.refusing_tls import refusing_tls
from tests.upstreams import OK, Visit, says, upstream

NGINX = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"
    b"<center>The plain HTTP request was sent to HTTPS port</center>"
)


@pytest.fixture
def serving(tmp_path: Path) -> ssl.SSLContext:
    """A certificate of the tests' authority, which nobody else trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(tmp_path / "pair", "127.0.0.1"))
    return context


async def waits_for_a_head(visit: Visit) -> None:
    await visit.head()
    await visit.say(OK)


async def test_what_answers_is_right(tmp_path: Path, serving: ssl.SSLContext) -> None:
    async with upstream(says(OK)) as plain:
        assert await upstream_fault(plain.address) == ""
    authority = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(authority))
    async with upstream(says(OK), context=serving) as encrypted:
        for tls in (UpstreamTls(str(authority)), UpstreamTls(verify=False)):
            assert await upstream_fault(replace(encrypted.address, tls=tls)) == ""


@pytest.mark.parametrize("tls", [None, UpstreamTls()])
async def test_nobody_listens(tls: UpstreamTls | None) -> None:
    address = UpstreamAddress("127.0.0.1", free_port(), tls=tls)
    said = await upstream_fault(address)
    assert said.startswith(f"Nothing answers at {address} (")
    assert said.endswith("Start it, or correct --upstream.")


async def test_nobody_listens_at_a_unix_socket() -> None:
    said = await upstream_fault(UpstreamAddress("localhost", 80, "/nowhere/no.sock"))
    assert "Nothing answers at unix:/nowhere/no.sock (No such file or directory)" in said


async def test_a_certificate_that_nobody_trusts(serving: ssl.SSLContext) -> None:
    async with upstream(says(OK), context=serving) as jupyter:
        said = await upstream_fault(replace(jupyter.address, tls=UpstreamTls()))
    assert "has a certificate that is not trusted here (" in said
    assert "with --ca FILE, or trust any with --insecure." in said


async def test_https_to_a_plain_jupyter() -> None:
    """It waits for the end of the head, and takes the handshake for its beginning."""
    async with upstream(waits_for_a_head) as jupyter:
        address = replace(jupyter.address, tls=UpstreamTls())
        said = await upstream_fault(address, 1.0)
    assert "speaks plain HTTP, not HTTPS" in said
    assert said.endswith(f"--upstream http://127.0.0.1:{address.port}.")


async def test_plain_http_to_a_port_of_https(serving: ssl.SSLContext) -> None:
    async with upstream(says(OK), context=serving) as jupyter:
        said = await upstream_fault(jupyter.address)
        assert "speaks HTTPS, not plain HTTP" in said
        assert said.endswith(f"--upstream https://127.0.0.1:{jupyter.address.port}.")


async def test_plain_http_to_a_port_of_https_that_wants_a_certificate(
    serving: ssl.SSLContext,
) -> None:
    serving.verify_mode, serving.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2
    with refusing_tls(serving) as port:
        said = await upstream_fault(UpstreamAddress("127.0.0.1", port))
    assert "speaks HTTPS, not plain HTTP" in said


async def test_a_server_says_that_it_wants_https() -> None:
    async with upstream(says(NGINX)) as nginx:
        assert "speaks HTTPS, not plain HTTP" in await upstream_fault(nginx.address)


async def test_another_protocol() -> None:
    async with upstream(says(b"SSH-2.0-OpenSSH_9.2\r\n")) as other:
        assert "does not speak HTTP" in await upstream_fault(other.address)


async def test_nobody_answers() -> None:
    ended = asyncio.Event()

    async def silent(_: Visit) -> None:
        await ended.wait()

    async with upstream(silent) as jupyter:
        said = await upstream_fault(jupyter.address, 0.1)
        ended.set()
    assert "takes connections and has not answered within 0.1 s" in said
