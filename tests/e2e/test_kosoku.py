"""Autobahn's WebSocket cases, by kosoku: each ends through labgate as it does without.

The cases 1.* to 10.*, 301 of them, about ten seconds a run. kosoku speaks no TLS, so for wss
a stunnel of a few lines stands between it and labgate: bytes, ends and resets pass it as
they come.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.net.reset import reset
from tests.conftest import require
from tests.e2e.origin import Origin
from tests.e2e.programs import Labgate, free_port

# 12.* and 13.* are about permessage-deflate, which both ends settle between themselves.
CASES = ("--exclude", "12.*", "--exclude", "13.*")
COUNT = 301
RUN_SECONDS = 240.0

# How often a case may be tried before two ways to end count as different. Cases that break
# the protocol are a race between the echo's last words and kosoku's next bytes, and the
# suite takes an end before them for an answer, too (NON-STRICT).
TRIES = 3


@dataclass(frozen=True, slots=True)
class End:
    """How a case ended, in Autobahn's words."""

    behavior: str
    close: str
    code: int | None


@pytest.fixture
def kosoku() -> str:
    """The command, beside this Python."""
    found = shutil.which("kosoku", path=str(Path(sys.executable).parent))
    require(found, "no kosoku", "pip install kosoku")
    return str(found)


async def run(kosoku: str, port: int, reports: Path, *cases: str) -> dict[str, End]:
    """Each case's end."""
    shutil.rmtree(reports, ignore_errors=True)
    command = (kosoku, "-m", "fuzzingclient", "-p", "2", "-o", str(reports), *cases)
    process = await asyncio.create_subprocess_exec(
        *command,
        f"ws://localhost:{port}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (reports / "index.json").exists(), output.decode()
    (agent,) = json.loads((reports / "index.json").read_text()).values()
    return {
        case: End(end["behavior"], end["behaviorClose"], end["remoteCloseCode"])
        for case, end in agent.items()
    }


async def test_every_case_ends_as_it_does_without(tmp_path: Path, kosoku: str) -> None:
    encrypted = free_port()
    with Origin(tmp_path) as origin:
        plain = Labgate(folder(tmp_path, "ws"), "serve", "--bind", "127.0.0.1", tls=False)
        plain.environment["LABGATE_LISTEN__TLS"] = "false"
        secure = Labgate(folder(tmp_path, "wss"), "serve", "--bind", "127.0.0.1")
        for labgate, port in ((plain, plain.http_port), (secure, encrypted)):
            labgate.environment |= {
                "LABGATE_UPSTREAM__URL": origin.address,
                "LABGATE_SITE__DOMAINS": f"localhost:{port}",
                "LABGATE_SITE__WEBSOCKET_WITHOUT_ORIGIN": "true",
            }
        with plain, secure:
            async with encrypting(encrypted, secure.https_port, secure.trusting):
                # At once, because kosoku mostly waits.
                direct, over_plain, over_tls = await asyncio.gather(
                    run(kosoku, origin.port, tmp_path / "direct", *CASES),
                    run(kosoku, plain.http_port, tmp_path / "plain", *CASES),
                    run(kosoku, encrypted, tmp_path / "secure", *CASES),
                )
                assert len(direct) == COUNT
                failed = {case for case, end in direct.items() if end.behavior == "FAILED"}
                assert failed <= {"7.9.5"}
                for seen, port in ((over_plain, plain.http_port), (over_tls, encrypted)):
                    await compare(kosoku, direct, seen, origin.port, port, tmp_path)


async def compare(
    kosoku: str,
    direct: dict[str, End],
    seen: dict[str, End],
    origin: int,
    port: int,
    reports: Path,
) -> None:
    """Every case ends at ``port`` as it did at the origin's."""
    assert seen.keys() == direct.keys()
    different = {case for case, end in seen.items() if end != direct[case]}
    for _ in range(TRIES - 1):
        if not different:
            return
        print("once more:", {case: (direct[case], seen[case]) for case in sorted(different)})
        chosen = [word for case in sorted(different) for word in ("--include", case)]
        direct |= await run(kosoku, origin, reports / "direct", *chosen)
        seen |= await run(kosoku, port, reports / "proxied", *chosen)
        different = {case for case in different if seen[case] != direct[case]}
    assert not different, {case: (direct[case], seen[case]) for case in sorted(different)}


def folder(parent: Path, name: str) -> Path:
    made = parent / name
    made.mkdir()
    return made


@asynccontextmanager
async def encrypting(port: int, target: int, context: ssl.SSLContext) -> AsyncIterator[None]:
    """What comes to ``port`` goes on over TLS to ``target``."""
    conversations: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        task.add_done_callback(conversations.discard)
        secure_reader, secure_writer = await asyncio.open_connection(
            "localhost", target, ssl=context
        )
        try:
            up = asyncio.ensure_future(carry(reader, secure_writer))
            down = asyncio.ensure_future(carry(secure_reader, writer))
            # TLS has no half-closed connections here: one end is the end.
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)
            for other in (up, down):
                other.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        finally:
            secure_writer.close()
            writer.close()

    server = await asyncio.start_server(serve, "localhost", port)
    try:
        yield
    finally:
        server.close()
        for conversation in list(conversations):
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes until the end; a reset goes on as one."""
    try:
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        reset(writer.transport)
