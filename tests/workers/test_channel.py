"""The messages between supervisor and worker, where the other end does what it should not."""

from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.runtime.tasks import spawn
from proxy.workers.channel import Channel


async def test_flush_waits_until_everything_was_taken() -> None:
    """A worker flushes its last report, and ends."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    channel = await Channel.open(ours)
    with theirs:
        # More than the kernel takes, and less than what asyncio calls too much.
        room = ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        sent = {"report": "x" * (room + 20_000)}
        channel.send(sent)
        flushed = spawn(channel.flush(), "flush")
        await asyncio.wait({flushed}, timeout=0.05)
        assert not flushed.done()
        received = 0
        while received < len(sent["report"]):
            received += len(await asyncio.get_running_loop().sock_recv(theirs, 1 << 20))
        async with asyncio.timeout(10):
            await flushed
        channel.close()
        await channel.flush()


@pytest.mark.parametrize("line", [b"x" * 2000 + b"\n", b"x" * 2000, b"no JSON\n"])
async def test_what_is_no_message(line: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        channel = Channel(*await asyncio.open_connection(sock=ours, limit=1000))
        theirs.sendall(line)
        with pytest.raises(ValueError, match=r"."):
            await channel.receive()
        channel.close()
