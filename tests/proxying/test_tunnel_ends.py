"""How a tunnel ends, in memory: one direction, both, or neither, whatever the transports can do."""

from __future__ import annotations

import pytest

from proxy.messages import TunnelEnd
from proxy.proxying.tunnel import OpenTunnel
from tests.http1.memory_transport import MemoryTransport


class Client:
    """The client's side, after the 101."""

    def __init__(self, *, half_closes: bool = True) -> None:
        self.half_closes = half_closes
        self.written = b""
        self.calls: list[str] = []

    def start(self, end: TunnelEnd) -> None:
        self.calls.append("start")

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def write_eof(self) -> bool:
        self.calls.append("eof")
        return self.half_closes

    def finish(self) -> None:
        self.calls.append("finish")

    def abort(self) -> None:
        self.calls.append("abort")


class Tls(MemoryTransport):
    """A transport that cannot end one direction alone."""

    def can_write_eof(self) -> bool:
        return False


class Broken(MemoryTransport):
    """A transport whose other end is gone already."""

    def write_eof(self) -> None:
        raise OSError(107, "not connected")


def opened(
    upstream: MemoryTransport | None = None, *, half_closes: bool = True
) -> tuple[OpenTunnel, MemoryTransport, Client, list[OpenTunnel]]:
    upstream = MemoryTransport() if upstream is None else upstream
    client, closed = Client(half_closes=half_closes), list[OpenTunnel]()
    tunnel = OpenTunnel(upstream, client, closed.append)
    tunnel.open(b"")
    return tunnel, upstream, client, closed


def test_bytes_pass_and_are_counted() -> None:
    upstream = MemoryTransport()
    upstream.pause_reading()
    client = Client()
    tunnel = OpenTunnel(upstream, client, list[OpenTunnel]().append)
    tunnel.open(b"early")
    assert upstream.protocol is tunnel
    assert upstream.reading
    tunnel.data_received(b"down")
    tunnel.feed_data(b"up")
    assert (client.written, upstream.written) == (b"earlydown", b"up")
    assert (tunnel.bytes_down, tunnel.bytes_up) == (9, 2)


def test_the_client_ends_its_direction_first() -> None:
    tunnel, upstream, client, _ = opened()
    tunnel.feed_eof()
    assert (upstream.half_closed, upstream.state) == (True, "open")
    assert tunnel.eof_received() is False, "both have ended: close"
    assert upstream.state == "closing"
    assert client.calls == ["start", "eof"]


@pytest.mark.parametrize("half_closes", [True, False])
def test_jupyter_ends_its_direction_first(half_closes: bool) -> None:
    tunnel, upstream, client, _ = opened(half_closes=half_closes)
    assert tunnel.eof_received() is half_closes
    assert upstream.state == "open"
    tunnel.feed_eof()
    assert (upstream.half_closed, upstream.state) == (False, "closing")
    assert client.calls == ["start", "eof"]


def test_over_tls_the_end_of_one_direction_ends_both() -> None:
    tunnel, upstream, _, _ = opened(Tls())
    tunnel.feed_eof()
    assert (upstream.half_closed, upstream.state) == (False, "closing")
    tunnel, upstream, _, _ = opened(Tls())
    assert tunnel.eof_received() is False


def test_an_end_that_cannot_be_sent_is_no_fault() -> None:
    tunnel, upstream, _, _ = opened(Broken())
    tunnel.feed_eof()
    assert upstream.state == "open"


def test_nothing_is_sent_to_a_jupyter_that_is_gone() -> None:
    tunnel, upstream, _, _ = opened()
    upstream.close()
    tunnel.feed_data(b"up")
    tunnel.feed_eof()
    tunnel.client_congested(True)
    assert (upstream.written, upstream.half_closed, upstream.reading) == (b"", False, True)


def test_congestion_passes_both_ways() -> None:
    tunnel, upstream, client, _ = opened()
    reading = []
    for congested in (True, False):
        tunnel.client_congested(congested)
        reading.append(upstream.reading)
    assert reading == [False, True]
    tunnel.pause_writing()
    tunnel.resume_writing()
    assert client.calls == ["start", "pause", "resume"]


@pytest.mark.parametrize(
    ("error", "state"), [(None, "closing"), (ConnectionResetError(), "aborted")]
)
def test_a_client_that_is_lost_ends_jupyters_side(error: Exception | None, state: str) -> None:
    tunnel, upstream, _, closed = opened()
    tunnel.client_lost(error)
    assert (upstream.state, closed) == (state, [tunnel])
    tunnel.connection_lost(None)
    assert closed == [tunnel], "once"


def test_an_abort_cuts_both_sides() -> None:
    tunnel, upstream, client, _ = opened()
    tunnel.abort()
    assert (upstream.state, client.calls) == ("aborted", ["start", "abort"])
