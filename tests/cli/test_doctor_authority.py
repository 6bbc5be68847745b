"""A certificate of this machine's development CA: the file of that CA is named."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy.certs.development_ca import development_pair
from proxy.cli.doctor_authority import signed_by


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder with a development certificate for localhost."""
    folder = tmp_path / "state"
    development_pair(folder, ["localhost"])
    return folder


@pytest.fixture
async def url(state: Path) -> AsyncIterator[str]:
    """An address with this certificate; requests get no answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(state / "cert.pem", state / "key.pem")

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}/ada/"


async def examined(url: str, state: Path, *more: str) -> str:
    """What ``labgate doctor`` prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "doctor", url, *more),
        env=os.environ | {"LABGATE_STATE__FOLDER": str(state)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    return out.decode()


async def test_the_development_ca_of_this_user_is_named(url: str, state: Path) -> None:
    out = await examined(url, state)
    assert "certificate (error)" in out
    assert f"--ca {state / 'ca.pem'}\n" in out
    for needless in ("--ca FILE", "acme", "privkey", "For others", "labgate up"):
        assert needless not in out
    assert "[tls]" in await examined(url, state, "--mend-for", "labgate")


async def test_another_authority_is_not(url: str, state: Path, tmp_path: Path) -> None:
    development_pair(tmp_path / "other", ["localhost"])
    for folder in (tmp_path / "other", tmp_path / "none"):
        out = await examined(url, folder)
        # A narrow terminal folds the line.
        assert "--ca FILE" in " ".join(out.split())
        assert str(folder) not in out
        assert "acme" not in out


async def test_one_that_is_trusted_already_is_not(url: str, state: Path) -> None:
    development_pair(state, ["elsewhere.localhost"])
    out = await examined(url, state, "--ca", str(state / "ca.pem"))
    assert "certificate" not in out


def test_files_that_are_no_certificate(state: Path, tmp_path: Path) -> None:
    pem = (state / "cert.pem").read_text()
    assert signed_by(state / "ca.pem", pem)
    assert not signed_by(state / "key.pem", pem)
    assert not signed_by(tmp_path, pem)
    assert not signed_by(state / "ca.pem", "")
