"""The protocol of a handover, with a peer of another version at the other end."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.access.login_state import LoginState
from proxy.admin.socket_path import MAX_PATH_BYTES, socket_path
from proxy.errors import StartError
from proxy.runtime import socket_passing
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.service.handover import Handover
from proxy.service.hello import Kind
from proxy.service.takeover import Takeover

NEWER = {"protocol": 1, "version": "9.9", "pid": os.getpid(), "something": "new"}


def connected(path: Path) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(10)
    channel.connect(str(path))
    return channel


async def exchanged(channel: socket.socket, message: dict[str, Any]) -> dict[str, Any]:
    def talk() -> dict[str, Any]:
        socket_passing.send(channel, message)
        answer, descriptors = socket_passing.receive(channel)
        for descriptor in descriptors:
            os.close(descriptor)
        return answer

    return await run_in_daemon_thread("test", talk)


async def test_a_newer_successor(sockets: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        handover, order = Handover(), list[str]()
        handover.ports = lambda: [("https:443", one)]
        handover.on_serving = lambda: order.append("serving")
        handover.on_released = lambda: order.append("released")
        with connected(handover.offer(sockets)) as channel:
            answer = await exchanged(channel, NEWER)
            assert answer["names"] == ["https:443", "logins"]
            assert not handover.may_restart_jupyter.is_set()
            assert handover.successor == 0
            with pytest.raises(StartError, match="is taking over"):
                handover.offer(sockets)
            answer = await exchanged(channel, {"serving": True, "something": "new"})
            assert answer == {"released": True, "names": ["logins"]}
        assert handover.successor == os.getpid()
        assert order == ["serving", "released"]


async def test_a_successor_that_ends_before_it_serves(sockets: Path) -> None:
    handover = Handover()
    with connected(handover.offer(sockets)) as channel:
        await exchanged(channel, NEWER)
    async with asyncio.timeout(10):
        await handover.may_restart_jupyter.wait()
    assert handover.successor == 0
    assert list((sockets / "admin").iterdir()) == []


async def test_a_state_folder_with_just_enough_room_for_the_admin_socket(sockets: Path) -> None:
    """The name of the socket to talk over is longer."""
    fill = MAX_PATH_BYTES - len(os.fsencode(socket_path(sockets))) - 1
    folder = sockets / ("x" * fill)
    folder.mkdir()
    assert socket_path(folder).is_relative_to(folder)
    handover = Handover()
    with connected(handover.offer(folder)) as channel:
        await exchanged(channel, NEWER)
    async with asyncio.timeout(10):
        await handover.may_restart_jupyter.wait()


async def test_another_protocol(sockets: Path) -> None:
    handover = Handover()
    with connected(handover.offer(sockets)) as channel:
        answer = await exchanged(channel, {"protocol": 2})
    assert "by protocol 1 only" in answer["refused"]


@pytest.mark.parametrize(
    ("running", "starting", "said"),
    [
        ("site", "hub", r"is `labgate up` or .*, from which `labgate hub` cannot take over"),
        ("hub", "site", r"is `labgate hub`, from which `labgate up` or .* cannot take over"),
    ],
)
async def test_what_serves_something_else(
    running: Kind, starting: Kind, said: str, sockets: Path
) -> None:
    """Each would end without the sockets that the other needs, or without its routes."""
    handover = Handover(running)
    path = str(handover.offer(sockets))
    with pytest.raises(StartError, match=f"{said}.*LABGATE_STATE__FOLDER"):
        await run_in_daemon_thread("test", lambda: Takeover.connect(path, starting))
    assert handover.successor == 0


@pytest.mark.parametrize("told", [{"kind": "hub"}, {"kind": "another"}])
async def test_a_predecessor_that_lets_everybody_take_over(
    told: dict[str, str], sockets: Path
) -> None:
    path = str(sockets / "takeover")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen()
        taking = asyncio.ensure_future(run_in_daemon_thread("test", lambda: Takeover.connect(path)))
        with (await run_in_daemon_thread("accept", listening.accept))[0] as channel:
            hello, _ = await run_in_daemon_thread("hello", lambda: socket_passing.receive(channel))
            assert hello["kind"] == "site"
            offer = {"protocol": 1, "pid": 1, "names": ["public:8000"]} | told
            socket_passing.send(channel, offer, [listening.fileno()])
            with pytest.raises(StartError, match="cannot take over"):
                await taking


async def test_an_obstacle(sockets: Path) -> None:
    handover = Handover()
    handover.obstacle = "Jupyter ends with it."
    with pytest.raises(StartError, match="Jupyter ends"):
        handover.offer(sockets)
    with pytest.raises(StartError, match="Jupyter ends"):
        await handover.start_successor()


async def test_a_successor_that_ends_once_it_serves(
    sockets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is accepted here any more, so labgate ends, and its manager starts it again."""
    handover, released = Handover(), asyncio.Event()
    handover.on_released = released.set
    with connected(handover.offer(sockets)) as channel:
        await exchanged(channel, NEWER)
        handover.on_serving = channel.close
        socket_passing.send(channel, {"serving": True})
        async with asyncio.timeout(10):
            await released.wait()
    assert handover.is_lost
    assert "ended while it took over" in caplog.text


@pytest.mark.parametrize("hello", [b"[]", b"null", b"1", b"x", b'{"protocol": []}'])
async def test_no_hello(hello: bytes, sockets: Path, caplog: pytest.LogCaptureFixture) -> None:
    handover = Handover()
    path = handover.offer(sockets)
    with connected(path) as channel:
        channel.sendall(hello + b"\n")
        answer = await run_in_daemon_thread("test", lambda: channel.recv(1000))
        assert b"by protocol 1 only" in answer if b"{" in hello else answer == b""
    assert all(record.levelname != "ERROR" for record in caplog.records), "no task failed"
    assert ("takeover failed" in caplog.text) == (b"{" not in hello)


async def test_a_successor_that_takes_too_long(sockets: Path) -> None:
    """It must not go on: what it has is the predecessor's, too."""
    handover = Handover(serving_seconds=0.1)
    path = str(handover.offer(sockets))
    takeover = await run_in_daemon_thread("test", lambda: Takeover.connect(path))
    async with asyncio.timeout(10):
        await handover.may_restart_jupyter.wait()
    with pytest.raises(StartError, match="did not wait so long, and goes on"):
        await takeover.complete()
    assert not takeover.is_complete
    assert handover.successor == 0


async def test_a_second_upgrade_is_refused_while_one_is_under_way(
    monkeypatch: pytest.MonkeyPatch, sockets: Path
) -> None:
    """Its own process would be refused, and the first one's success would be taken for its."""
    until_opened = sockets / "fifo"
    os.mkfifo(until_opened)
    monkeypatch.setattr(sys, "orig_argv", ["sh", "-c", 'read -r _ < "$0"', str(until_opened)])
    handover = Handover()
    upgrade = asyncio.ensure_future(handover.start_successor())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        with pytest.raises(StartError, match="is taking over"):
            await handover.start_successor()
    with connected(handover.offer(sockets)) as channel:
        await exchanged(channel, NEWER)
        await exchanged(channel, {"serving": True})
    assert await upgrade == os.getpid()
    until_opened.write_bytes(b"")
    with pytest.raises(StartError, match=f"Process {os.getpid()} serves already"):
        await handover.start_successor()
    with pytest.raises(StartError, match=f"Process {os.getpid()} serves already"):
        handover.offer(sockets)


async def test_a_successor_that_never_serves_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["sh", "-c", "exec sleep 60"])
    handover = Handover(connect_seconds=0.1, serving_seconds=0.1)
    # To start it takes a busy machine many seconds, and to end it some; it would sleep for longer.
    with pytest.raises(StartError, match=r"does not serve after 0\.2 s and is stopped"):
        await handover.start_successor()
    assert "successor" not in [task.get_name() for task in asyncio.all_tasks()]


async def test_a_successor_that_does_not_end_either_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has the sockets, and would go on accepting connections that nobody answers."""
    monkeypatch.setattr(sys, "orig_argv", ["sh", "-c", "exec sleep 60"])
    handover = Handover(connect_seconds=0.1, serving_seconds=0.1, ending_seconds=0.1)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what it starts ignores it, too
    try:
        with pytest.raises(StartError, match="and is killed, because it does not end; this one"):
            await handover.start_successor()
    finally:
        signal.signal(signal.SIGTERM, before)
    (ended,) = [task for task in asyncio.all_tasks() if task.get_name() == "successor"]
    async with asyncio.timeout(40):
        await ended


PREDECESSOR = """
import socket, sys
from proxy.runtime import socket_passing
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
    listening.bind(sys.argv[1])
    listening.listen()
    print("listens", flush=True)
    channel, _ = listening.accept()
    socket_passing.receive(channel)
    socket_passing.send(channel, {"protocol": 1, "names": []})
    socket_passing.receive(channel)
"""


async def test_a_predecessor_that_ends_instead(sockets: Path) -> None:
    path = str(sockets / "takeover")
    command = [sys.executable, "-c", PREDECESSOR, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as predecessor:
        assert predecessor.stdout is not None
        await run_in_daemon_thread("listens", predecessor.stdout.readline)
        takeover = await run_in_daemon_thread("test", lambda: Takeover.connect(path))
        await takeover.complete()
        assert takeover.is_complete


@contextmanager
def newer_logins() -> Iterator[int]:
    file = socket_passing.unnamed_file(b'{"another": "format"}')
    yield file
    os.close(file)


async def test_what_is_known_of_failed_logins(sockets: Path) -> None:
    """Told twice: people try passwords while the successor starts. It may be much."""
    handover, tried = Handover(), LoginState("ab" * 32, [{"account": "x" * 200_000}])
    handover.logins = lambda: tried
    path = str(handover.offer(sockets))
    takeover = await run_in_daemon_thread("test", lambda: Takeover.connect(path))
    assert takeover.logins == tried
    tried = LoginState("ab" * 32, [{"account": "another"}])
    await takeover.complete()
    assert takeover.logins == tried


async def test_a_newer_predecessor(sockets: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What this version does not know is not kept open."""
    path = str(sockets / "takeover")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening,
        socket.create_server(("127.0.0.1", 0)) as one,
    ):
        listening.bind(path)
        listening.listen()
        taking = asyncio.ensure_future(run_in_daemon_thread("test", lambda: Takeover.connect(path)))
        channel = (await run_in_daemon_thread("accept", listening.accept))[0]
        hello, _ = await run_in_daemon_thread("hello", lambda: socket_passing.receive(channel))
        assert hello["protocol"] == 1
        names = ["https:443", "http:80", "quic:443", "claim:/x"]
        offer = {"protocol": 1, "names": names, "something": "new"}
        socket_passing.send(channel, offer, 4 * [one.fileno()])
        takeover = await taking
        assert set(takeover.claims) == {"/x"}
        kept = takeover.ports_for({"https": 443, "http": 8080})
        assert [name for name, _ in kept] == ["https"]
        assert kept[0][1].getsockname() == one.getsockname()
        completing = asyncio.ensure_future(takeover.complete())
        assert (await run_in_daemon_thread("serving", lambda: socket_passing.receive(channel)))[0]
        released = {"released": True, "names": ["logins", "more"], "something": "new"}
        with newer_logins() as file:
            socket_passing.send(channel, released, [file, one.fileno()])
        await completing
        channel.close()
        assert takeover.is_complete
        assert takeover.logins is None
        assert "failed logins are counted from zero" in caplog.text
        kept[0][1].close()
        os.close(takeover.claims["/x"])
