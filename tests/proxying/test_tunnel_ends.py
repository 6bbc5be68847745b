"""How a tunnel ends, in memory: one direction, both, or neither, whatever the transports can do."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.messages import TunnelEnd
from proxy.proxying.activity import Activity
from proxy.proxying.tunnel import OpenTunnel, WatchedTunnel
from proxy.proxying.tunnel_keepalive import TunnelKeepalive
from tests.http1.memory_transport import MemoryTransport
from tests.proxying.test_frame_walker import MASK, frame


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


def test_a_hub_hears_of_bytes_in_either_direction() -> None:
    upstream, client, closed = MemoryTransport(), Client(), list[OpenTunnel]()
    activity = Activity(0.0)
    tunnel = WatchedTunnel(upstream, client, closed.append, activity)
    tunnel.open(b"")
    assert activity.at == 0.0
    tunnel.data_received(b"down")
    assert activity.at > 0.0
    activity.at = 0.0
    tunnel.feed_data(b"up")
    assert activity.at > 0.0
    assert (client.written, upstream.written) == (b"down", b"up")
    tunnel.connection_lost(None)
    assert closed == [tunnel]


def pinged(tunnel: OpenTunnel, client: Client) -> bool:
    """Whether the client gets a ping after a long silence."""
    assert tunnel.keepalive is not None
    before = len(client.written)
    tunnel.ping_if_silent(tunnel.keepalive._silent_since + 46.0, 45.0)
    return client.written[before:].startswith(b"\x89\x08")


def test_a_silent_client_is_pinged() -> None:
    tunnel, _, client, _ = opened()
    tunnel.keepalive = TunnelKeepalive()
    assert pinged(tunnel, client)
    tunnel.data_received(frame(0x81, b"hi"))
    tunnel.feed_data(frame(0x8A, b"", MASK)[:4])
    assert not pinged(tunnel, client), "as many bytes came down as went up"
    assert pinged(tunnel, client)


def test_who_is_not_pinged() -> None:
    tunnel, _, client, _ = opened()
    tunnel.ping_if_silent(1e9, 45.0)
    assert client.written == b"", "no pings are wanted"
    for end in (
        lambda tunnel, _: tunnel.feed_eof(),
        lambda tunnel, _: tunnel.eof_received(),
        lambda tunnel, _: tunnel.client_congested(True),
        lambda _, upstream: upstream.close(),
    ):
        tunnel, upstream, client, _ = opened()
        tunnel.keepalive = TunnelKeepalive()
        end(tunnel, upstream)
        assert not pinged(tunnel, client)


def test_what_was_held_for_a_pong_goes_up_before_the_end() -> None:
    tunnel, upstream, client, _ = opened()
    tunnel.keepalive = TunnelKeepalive()
    assert pinged(tunnel, client)
    begun = frame(0x8A, b"12345678", MASK)[:5]
    tunnel.feed_data(begun)
    assert upstream.written == b"", "it may become the pong"
    tunnel.feed_eof()
    assert upstream.written == begun
    assert upstream.half_closed


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


async def test_a_jupyter_that_breaks_off_cuts_the_client_once_it_has_the_last_bytes() -> None:
    with socket.socket() as channel:
        tunnel, _, client, closed = opened(MemoryTransport(channel))
        tunnel.connection_lost(ConnectionResetError())
        assert client.calls == ["start"], "what was written in this turn is written first"
        await asyncio.sleep(0)
    assert client.calls == ["start", "abort"]
    assert closed == [tunnel]


async def test_the_last_words_of_a_jupyter_that_breaks_off_reach_the_client() -> None:
    ours, jupyters = socket.socketpair()
    with ours, jupyters:
        tunnel, _, client, _ = opened(MemoryTransport(ours))
        jupyters.send(b"last words")
        tunnel.connection_lost(ConnectionResetError())
    assert client.written == b"last words"
    assert tunnel.bytes_down == 10


def test_an_abort_cuts_both_sides() -> None:
    tunnel, upstream, client, _ = opened()
    tunnel.abort()
    assert (upstream.state, client.calls) == ("aborted", ["start", "abort"])
