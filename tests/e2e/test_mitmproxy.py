"""HTTP Archives go both ways between the inspector and mitmproxy.

mitmproxy brings a hundred megabytes, so that it is used where it is: ``MITMDUMP`` names its
``mitmdump``, or it is on the path.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from proxy.inspector.har import from_har, to_har
from tests.conftest import OWN_PIP, require
from tests.e2e.programs import Program, free_port, until
from tests.inspector.exchanges import exchange
from tests.upstreams import OK, says, upstream

SECRET = "s3cret-of-the-archive"


@pytest.fixture(scope="module")
def mitmdump() -> str:
    program = os.environ.get("MITMDUMP") or shutil.which("mitmdump")
    why = f"{OWN_PIP} install mitmproxy && export MITMDUMP=/tmp/V/bin/mitmdump"
    require(program, "no mitmproxy", why)
    assert program is not None
    return program


def test_mitmproxy_reads_ours(mitmdump: str, tmp_path: Path) -> None:
    archive = tmp_path / "ours.har"
    archive.write_text(json.dumps(to_har([exchange("PUT", "/api/contents/A", 404), exchange()])))
    read = subprocess.run(
        [mitmdump, "-n", "-r", str(archive), "--flow-detail", "2"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "PUT https://" in read.stdout
    assert "404 Not Found" in read.stdout
    assert "/api/contents/A" in read.stdout


class Mitmdump(Program):
    """In front of an upstream; writes an archive when it ends."""

    name = "mitmdump"

    def __init__(self, folder: Path, program: str, upstream_port: int) -> None:
        # It says that it listens on its output, which a pipe or file would get late.
        super().__init__(folder, {"HOME": str(folder), "PYTHONUNBUFFERED": "1"})
        self.port = free_port()
        self.archive = folder / "theirs.har"
        self._program = program
        self._upstream = f"reverse:http://127.0.0.1:{upstream_port}"

    def command(self) -> list[str]:
        listens = ["--listen-host", "127.0.0.1", "-p", str(self.port)]
        return [
            self._program,
            *listens,
            *("--mode", self._upstream, "--set", f"hardump={self.archive}"),
        ]

    def ready(self) -> bool:
        return "listening" in self.log + self.stdout.read_text()


async def test_what_mitmproxy_writes_is_read(mitmdump: str, tmp_path: Path) -> None:
    async with upstream(says(OK)) as jupyter:
        theirs = await asyncio.to_thread(written, tmp_path, mitmdump, jupyter.address.port)
    assert SECRET in theirs
    [one] = from_har(json.loads(theirs))
    assert (one.method, one.status) == ("GET", 200)
    assert one.target == "/api/contents?token=[redacted]"
    assert SECRET not in str(one.details())


def written(folder: Path, program: str, port: int) -> str:
    """The archive of one request through mitmproxy."""
    with Mitmdump(folder, program, port) as running:
        address = f"http://127.0.0.1:{running.port}/api/contents?token={SECRET}"
        with suppress(OSError):
            urllib.request.urlopen(address, timeout=30).read()
        running.stop(signal.SIGINT)
        until(running.archive.exists, lambda: running.log)
        return running.archive.read_text()
