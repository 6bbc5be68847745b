"""Rows 45 to 48: upgrades, and the raw bytes behind them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import cast

import pytest

from proxy.net.reset import reset
from tests.edges import Edge, edge
from tests.upstreams import Visit, upstream
from tests.wire.talk import within

FIELDS = (
    b"Host: lab.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Origin: https://lab.example.org\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
HANDSHAKE = b"GET /ws HTTP/1.1\r\n" + FIELDS + b"\r\n"
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: v1.kernel\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)


async def opened(labgate: Edge) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await labgate.connect()
    writer.write(HANDSHAKE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


async def echo(visit: Visit) -> None:
    await visit.head()
    await visit.say(ACCEPTED)
    while data := await visit.reader.read(65536):
        visit.received += data
        await visit.say(data)


async def test_46_the_answer_keeps_its_fields(seconds: float) -> None:
    async with within(seconds), upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert sorted(head.split(b"\r\n")) == sorted(ACCEPTED.split(b"\r\n"))


async def test_47_bytes_right_behind_the_handshake_reach_jupyter(seconds: float) -> None:
    async with within(seconds), upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE + b"early")
        assert (await reader.readuntil(b"early")).startswith(b"HTTP/1.1 101 ")
        writer.write(b"later")
        assert await reader.readexactly(5) == b"later"


LISTS = [
    pytest.param(b"Upgrade: websocket, h2c\r\n", id="a list"),
    pytest.param(b"Upgrade: h2c\r\nUpgrade: websocket\r\n", id="two lines"),
]


@pytest.mark.parametrize("offer", LISTS)
async def test_47_a_choice_of_protocols_loses_nothing(seconds: float, offer: bytes) -> None:
    """Either all of it is tunnelled, or it is an ordinary request that ends the connection."""
    async with within(seconds), upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE.replace(b"Upgrade: websocket\r\n", offer) + b"early")
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"HTTP/1.1 101 "):
            assert await reader.readexactly(5) == b"early"
        else:
            assert b"\r\nConnection: close\r\n" in head


async def test_47_bytes_right_behind_the_101_reach_the_client(seconds: float) -> None:
    async def eager(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED + b"welcome")
        await visit.reader.read()

    async with within(seconds), upstream(eager) as jupyter, edge(jupyter.address) as labgate:
        reader, _ = await opened(labgate)
        assert await reader.readexactly(7) == b"welcome"


async def test_47_byte_by_byte(seconds: float) -> None:
    async def slowly(visit: Visit) -> None:
        await visit.head()
        for byte in ACCEPTED + b"welcome":
            await visit.say(bytes([byte]))
            await asyncio.sleep(0)
        await visit.reader.read()

    async with within(seconds), upstream(slowly) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        for byte in HANDSHAKE:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await reader.readuntil(b"welcome")).startswith(b"HTTP/1.1 101 ")


async def test_47_a_refusal_is_an_ordinary_answer(seconds: float) -> None:
    async def refuse(visit: Visit) -> None:
        for _ in range(2):
            await visit.head()
            await visit.say(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: so\r\n\r\nno")
        await visit.reader.read()

    async with within(seconds), upstream(refuse) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\nno")
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert b"\r\nX-Why: so\r\n" in head
        writer.write(b"GET /2 HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\nno")).startswith(b"HTTP/1.1 403 ")


async def test_45_a_101_to_another_protocol_is_502(seconds: float) -> None:
    """RFC 9110 section 15.2.2: the server switches to what the client offered."""

    async def other(visit: Visit) -> None:
        await visit.head()
        await visit.say(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
        )
        await visit.reader.read()

    async with within(seconds), upstream(other) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 502 ")


async def test_45_a_101_without_upgrade_is_502(seconds: float) -> None:
    async def other(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        await visit.reader.read()

    async with within(seconds), upstream(other) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 502 ")


async def test_45_200_to_a_handshake_that_offers_upgrade_is_an_ordinary_answer(
    seconds: float,
) -> None:
    async def offering(visit: Visit) -> None:
        await visit.head()
        await visit.say(
            b"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Content-Length: 2\r\n\r\nok"
        )
        await visit.reader.read()

    async with within(seconds), upstream(offering) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        answer = await reader.readuntil(b"ok")
        answer += await reader.readuntil(b"\r\n\r\nok") if b"\r\n\r\nok" not in answer else b""
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"pgrade" not in answer


async def test_45_a_body_behind_an_h2c_offer_is_never_a_request(seconds: float) -> None:
    """What follows in the same segment must be read, or the connection must end."""
    targets: list[bytes] = []

    async def answer(visit: Visit) -> None:
        while head := await visit.head():
            targets.append(head.split(b" ")[1])
            if head.startswith(b"POST "):
                await visit.exactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    host = b"Host: lab.example.org\r\n"
    body = b"GET /smuggled HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n"
    async with within(seconds), upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(
            b"GET /1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + host + b"\r\n"
            b"POST /2 HTTP/1.1\r\n" + host + b"Content-Length: %d\r\n\r\n" % len(body)
        )
        await reader.readuntil(b"\r\n\r\nok")
        with suppress(ConnectionError):
            writer.write(body)
            writer.write_eof()
            await reader.read()
    assert b"/smuggled" not in targets


async def test_48_a_fin_travels_up_and_the_answer_down(seconds: float) -> None:
    async def answers_at_the_end(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED)
        data = await visit.reader.read()
        await visit.say(b"got " + data)

    async with (
        within(seconds),
        upstream(answers_at_the_end) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await opened(labgate)
        writer.write(b"last")
        writer.write_eof()
        assert await reader.read() == b"got last"


async def test_48_a_fin_travels_down_and_the_rest_up(seconds: float) -> None:
    rest: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def ends(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED + b"bye")
        visit.writer.write_eof()
        rest.set_result(await visit.reader.read())

    async with within(seconds), upstream(ends) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await opened(labgate)
        assert await reader.read() == b"bye"
        writer.write(b"last")
        writer.write_eof()
        assert await rest == b"last"


async def test_48_a_reset_travels_down(seconds: float) -> None:
    async def resets(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED)
        await visit.exactly(2)
        reset(cast(asyncio.Transport, visit.writer.transport))

    async with within(seconds), upstream(resets) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await opened(labgate)
        writer.write(b"go")
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_48_a_reset_travels_up(seconds: float) -> None:
    seen: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    async def waits(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED)
        try:
            await visit.reader.read()
            seen.set_result(None)
        except ConnectionError as error:
            seen.set_result(error)

    async with within(seconds), upstream(waits) as jupyter, edge(jupyter.address) as labgate:
        _, writer = await opened(labgate)
        reset(cast(asyncio.Transport, writer.transport))
        assert isinstance(await seen, ConnectionResetError)
