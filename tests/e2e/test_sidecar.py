"""labgate beside a Jupyter on a Unix socket, behind an ingress that terminates TLS."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from proxy.runtime.tasks import spawn
from tests.e2e.programs import TOKEN, Answer, Jupyter, Labgate, free_port, until
from tests.upstreams import OK, Upstream, Visit, upstream

DOMAIN = "lab.example.org"
FROM_INGRESS = {"Host": DOMAIN, "Origin": f"https://{DOMAIN}"}


def sidecar(folder: Path, at: str, **environment: str) -> Labgate:
    arguments = ("--no-tls", "--domain", DOMAIN, "--bind", "127.0.0.1", "--upstream", at)
    return Labgate(folder, "serve", *arguments, environment=environment, tls=False)


@pytest.fixture(scope="module")
def labgate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labgate]:
    """In front of a real Jupyter on a Unix socket."""
    with ExitStack() as stack:
        # A socket's path may have 107 characters, pytest's folders are deep.
        short = stack.enter_context(TemporaryDirectory(prefix="lg", dir="/tmp"))
        folder = tmp_path_factory.mktemp("sidecar")
        jupyter = stack.enter_context(Jupyter(folder, sock=Path(short) / "jupyter.sock"))
        yield stack.enter_context(sidecar(folder, jupyter.upstream))


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
class TestUnixSocket:
    def test_reading(self, labgate: Labgate) -> None:
        answer = labgate.ask("GET", "/api", **FROM_INGRESS)
        assert answer.status == 200
        assert "version" in answer.json()

    def test_writing(self, labgate: Labgate) -> None:
        fields = {**FROM_INGRESS, "Authorization": f"token {TOKEN}"}
        made = labgate.ask("POST", "/api/terminals", **fields)
        assert made.status == 200, made.body
        name = made.json()["name"]
        assert labgate.ask("GET", f"/api/terminals/{name}", **fields).json()["name"] == name
        assert labgate.ask("DELETE", f"/api/terminals/{name}", **fields).status == 204

    def test_a_page_with_its_cookie(self, labgate: Labgate) -> None:
        """The cookies are for HTTPS, though what arrives here is plain HTTP."""
        page = labgate.ask("GET", f"/lab?token={TOKEN}", Host=DOMAIN)
        assert page.status == 200
        cookies = page.fields.get_all("Set-Cookie", [])
        assert cookies
        assert all("; Secure" in cookie for cookie in cookies)
        sent = "; ".join(cookie.partition(";")[0] for cookie in cookies)
        listed = labgate.ask("GET", "/api/contents", **FROM_INGRESS, Cookie=sent)
        assert listed.status == 200

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"Host": "elsewhere.example.org"}, 421),
            ({"Host": DOMAIN, "Origin": f"http://{DOMAIN}"}, 403),
            ({"Host": DOMAIN, "Origin": "https://evil.example.org"}, 403),
            ({"Host": DOMAIN, "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ],
        ids=["another host", "another scheme", "a sibling", "a sibling's request"],
    )
    def test_who_is_not_let_in(self, labgate: Labgate, fields: dict[str, str], status: int) -> None:
        assert labgate.ask("GET", "/api/contents", **fields).status == status


async def test_systemd_gets_ready_once_it_serves(tmp_path: Path, sockets: Path) -> None:
    """systemd starts what depends on labgate as soon as it hears READY=1."""
    path = str(sockets / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(20)
        labgate = sidecar(tmp_path, "http://127.0.0.1:9", NOTIFY_SOCKET=path).spawn()
        try:
            assert await asyncio.to_thread(manager.recv, 100) == b"READY=1"
            health = await asyncio.to_thread(labgate.ask, "GET", "/.labgate/health")
            assert health.status == 200
            assert await asyncio.to_thread(labgate.stop) == 0
            assert await asyncio.to_thread(manager.recv, 100) == b"STOPPING=1"
        finally:
            labgate.kill()


async def test_a_port_that_is_taken_is_never_ready(tmp_path: Path, sockets: Path) -> None:
    path = str(sockets / "notify")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        manager.bind(path)
        manager.setblocking(False)
        labgate = sidecar(tmp_path, "http://127.0.0.1:9", NOTIFY_SOCKET=path)
        labgate.http_port = taken.getsockname()[1]
        assert await asyncio.to_thread(labgate.spawn().running.wait, 20) == 1
        states = []
        with suppress(BlockingIOError):
            while True:
                states.append(manager.recv(100))
        assert b"READY=1" not in states


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_a_stop_lets_a_slow_answer_finish(tmp_path: Path, number: signal.Signals) -> None:
    asked, stopping = asyncio.Event(), asyncio.Event()

    async def slow(visit: Visit) -> None:
        await _asked_for_slow(visit)
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfirst")
        asked.set()
        await stopping.wait()
        await visit.say(b"later")

    async with upstream(slow) as jupyter, asking(jupyter, tmp_path, asked) as (labgate, request):
        labgate.running.send_signal(number)
        await asyncio.to_thread(until, lambda: not _listens(labgate), "it still listens")
        assert labgate.running.poll() is None, "an answer is under way"
        stopping.set()
        answer = await asyncio.wait_for(request, 60)
        assert (answer.status, answer.body) == (200, b"firstlater")
        assert await asyncio.to_thread(labgate.running.wait, 60) == 0
        assert "Traceback" not in labgate.log


async def test_a_second_signal_ends_the_wait(tmp_path: Path) -> None:
    asked = asyncio.Event()

    async def never(visit: Visit) -> None:
        await _asked_for_slow(visit)
        asked.set()
        await visit.reader.read()

    async with upstream(never) as jupyter, asking(jupyter, tmp_path, asked) as (labgate, request):
        labgate.running.send_signal(signal.SIGTERM)
        await asyncio.to_thread(until, lambda: not _listens(labgate), "it still listens")
        labgate.running.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(labgate.running.wait, 60) == 0
        with pytest.raises((ConnectionError, OSError)):
            await request
        assert "Traceback" not in labgate.log


async def test_an_upstream_that_comes_later(tmp_path: Path) -> None:
    """A sidecar starts in any order: 503 with Retry-After until Jupyter is there."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        writer.close()

    port = free_port()
    labgate = sidecar(tmp_path, f"http://127.0.0.1:{port}")
    await asyncio.to_thread(labgate.start)
    try:
        early = await _ask(labgate)
        assert (early.status, early.fields["Retry-After"]) == (503, "2")
        async with await asyncio.start_server(answer, "127.0.0.1", port):
            late = await _ask(labgate)
            assert (late.status, late.body) == (200, b"ok")
    finally:
        labgate.kill()


@asynccontextmanager
async def asking(
    jupyter: Upstream, folder: Path, asked: asyncio.Event
) -> AsyncIterator[tuple[Labgate, asyncio.Task[Answer]]]:
    """A sidecar that drains for long, and a request to it, when Jupyter has it (``asked``)."""
    at = f"http://127.0.0.1:{jupyter.address.port}"
    labgate = sidecar(folder, at, LABGATE_LISTEN__DRAIN_SECONDS="600")
    await asyncio.to_thread(labgate.start)
    try:
        request = spawn(_ask(labgate), "asking")
        await asyncio.wait_for(asked.wait(), 60)
        yield labgate, request
    finally:
        labgate.kill()


async def _asked_for_slow(visit: Visit) -> None:
    """Answer what comes before: labgate looks by itself whether anything is there."""
    while b"GET /slow " not in await visit.head():
        await visit.say(OK)


async def _ask(labgate: Labgate) -> Answer:
    return await asyncio.to_thread(labgate.ask, "GET", "/slow", Host=DOMAIN)


def _listens(labgate: Labgate) -> bool:
    try:
        socket.create_connection(("127.0.0.1", labgate.http_port), 1).close()
    except OSError:
        return False
    return True
