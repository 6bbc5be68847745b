"""64 MiB up and down through a hub's proxy, and no more of it in memory than the sockets hold."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.programs import forget_peak_memory, peak_memory, resident_memory
from tests.hub.raw import RawClient, RawTarget, raw_target, read_until
from tests.hub.running import LABGATE, ProxyProcess, as_process

pytestmark = pytest.mark.deployment

MEBIBYTE = 2**20
BLOCKS = 64
SIZE = BLOCKS * MEBIBYTE
FLAT_BYTES = 16 * MEBIBYTE
OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(scope="module")
def target() -> Iterator[RawTarget]:
    with raw_target() as target:
        yield target


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "workers"])
def proxy(request: pytest.FixtureRequest, target: RawTarget) -> Iterator[ProxyProcess]:
    workers = ("--workers", str(request.param))
    with as_process(LABGATE, "--default-target", target.url, *workers) as running:
        # It answers when all processes serve; until then they grow by what they load.
        assert running.api("GET").status == 200
        yield running


def block(number: int) -> bytes:
    """Every block differs, so that a lost or doubled one shows."""
    return number.to_bytes(8, "big") + bytes(range(256)) * 4095 + bytes(248)


def digest_of_all() -> str:
    digest = hashlib.sha256()
    for number in range(BLOCKS):
        digest.update(block(number))
    return digest.hexdigest()


def send_all(connection: socket.socket) -> None:
    for number in range(BLOCKS):
        connection.sendall(block(number))


def receive_all(connection: socket.socket) -> str:
    digest, rest = hashlib.sha256(), SIZE
    while rest:
        data = connection.recv(min(rest, 2**18))
        assert data, f"cut off {rest} bytes before the end"
        digest.update(data)
        rest -= len(data)
    return digest.hexdigest()


class Memory:
    """How much the processes of a proxy grow."""

    def __init__(self, proxy: ProxyProcess) -> None:
        assert proxy.process is not None
        self._pids = [proxy.process.pid, *children(proxy.process.pid)]
        for pid in self._pids:
            forget_peak_memory(pid)
        self._before = {pid: resident_memory(pid) for pid in self._pids}

    @property
    def growth(self) -> int:
        """Of the process that grew most, at its peak."""
        return max(peak_memory(pid) - before for pid, before in self._before.items())


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


@pytest.mark.parametrize("upwards", [True, False], ids=["up", "down"])
def test_a_large_content_passes_by(proxy: ProxyProcess, target: RawTarget, upwards: bool) -> None:
    memory = Memory(proxy)
    method, length = (b"PUT", b"Content-Length: %d\r\n" % SIZE) if upwards else (b"GET", b"")
    client = RawClient(proxy.port, b"%s /x HTTP/1.1\r\nHost: h\r\n%s\r\n" % (method, length))
    server, _ = target.accept()
    if not upwards:
        server.sendall(OK % SIZE)
        client.read_until(b"\r\n\r\n")
    source, sink = (client.connection, server) if upwards else (server, client.connection)
    sending = threading.Thread(target=send_all, args=(source,))
    sending.start()
    assert receive_all(sink) == digest_of_all()
    sending.join()
    if upwards:
        server.sendall(OK % 2 + b"ok")
        assert read_until(client.connection, b"ok").startswith(b"HTTP/1.1 200")
    client.close()
    server.close()
    print(f"grew by {memory.growth / MEBIBYTE:.1f} MiB")
    assert memory.growth < FLAT_BYTES
