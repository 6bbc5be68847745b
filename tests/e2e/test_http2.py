"""Clients of others over HTTP/2: curl, nghttp, h2load, and Chromium with a real JupyterLab.

Everything else that a browser does is run over HTTP/2 by ``make test-http2``.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import require
from tests.e2e.conftest import shoot
from tests.e2e.origin import Origin
from tests.e2e.programs import Jupyter, Labgate
from tests.e2e.test_lab import open_notebook, run_cell

HTTP_2 = {"LABGATE_LISTEN__HTTP2": "true"}


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Origin]:
    with Origin(tmp_path) as running:
        yield running


@pytest.fixture
def labgate(origin: Origin, tmp_path: Path) -> Iterator[Labgate]:
    environment = HTTP_2 | {"LABGATE_UPSTREAM__URL": origin.address}
    with Labgate(tmp_path, "serve", environment=environment) as running:
        yield running


async def output_of(program: str, *arguments: str) -> str:
    """What it prints, on either stream."""
    require(shutil.which(program), f"no {program}", f"apt-get install {PACKAGES[program]}")
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, printed.decode()
    return printed.decode()


PACKAGES = {"curl": "curl", "nghttp": "nghttp2-client", "h2load": "nghttp2-client"}


async def test_curl(labgate: Labgate, tmp_path: Path) -> None:
    trust = ("-sS", "--cacert", str(labgate.authority))
    form = ("-w", "%{http_version} %{http_code} %{size_download}\n")
    got = tmp_path / "got"
    for options, said in [
        (("--http2",), "2 200 3000000"),
        (("--http1.1",), "1.1 200 3000000"),
    ]:
        url = f"{labgate.origin}/bytes/3000000"
        assert await output_of("curl", *trust, *options, *form, "-o", str(got), url) == said + "\n"
        assert got.stat().st_size == 3_000_000
    sent = ("--data-binary", f"@{got}", "-o", "/dev/null")
    for more in ((), ("-H", "Expect: 100-continue"), ("-H", "Transfer-Encoding: chunked")):
        url = f"{labgate.origin}/sink"
        printed = await output_of("curl", *trust, "--http2", *form, *sent, *more, url)
        assert printed == "2 200 1024\n"
    assert '"GET /bytes/3000000 HTTP/2" 200 0 3000000 ' in labgate.log
    assert '"GET /bytes/3000000" 200 0 3000000 ' in labgate.log


async def test_nghttp_and_h2load(labgate: Labgate) -> None:
    # It asks for the same address only once.
    urls = [f"{labgate.origin}/bytes/{size}" for size in (1000, 100_000)]
    printed = await output_of("nghttp", "-nsv", "--no-dep", *urls)
    assert "recv GOAWAY" not in printed
    received = re.findall(r"(?m)^ *\d+ .* (\d{3}) +(\S+) (/bytes/\d+)$", printed)
    assert sorted(received) == [("200", "1000", "/bytes/1000"), ("200", "97K", "/bytes/100000")]
    printed = await output_of("h2load", "-n", "2000", "-c", "4", "-m", "50", f"{labgate.origin}/x")
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in printed


@pytest.mark.deployment
@pytest.mark.chromium
@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_lab_in_chromium(page: Page, tmp_path: Path) -> None:
    """Requests over HTTP/2, and the kernel's WebSockets over HTTP/1.1 on the same port."""
    sockets: list[str] = []
    page.on("websocket", lambda opened: sockets.append(opened.url))
    with (
        Jupyter(tmp_path) as jupyter,
        Labgate(tmp_path, "serve", "--upstream", jupyter.upstream, environment=HTTP_2) as labgate,
    ):
        open_notebook(page, labgate, jupyter, "http2.ipynb")
        run_cell(page, "print('over', 'HTTP/' + str(1 + 1))")
        expect(page.get_by_text("over HTTP/2", exact=True)).to_be_visible()
        shoot(page, "lab-20-http2")
        spoken = page.evaluate(
            "JSON.stringify(performance.getEntriesByType('resource')"
            ".map(one => one.nextHopProtocol))"
        )
        protocols = [one for one in json.loads(spoken) if one]
        assert len(protocols) > 20
        assert set(protocols) == {"h2"}
        assert any("/channels" in url for url in sockets)
        page.context.close()
    assert "/api/contents/http2.ipynb" in labgate.log
    assert ' HTTP/2" 200 ' in labgate.log
    assert " ERROR " not in labgate.log
