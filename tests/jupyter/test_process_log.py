from __future__ import annotations

import asyncio

from proxy.jupyter.process_log import MAX_LOG_LINES, ProcessLog


def written(*lines: str) -> ProcessLog:
    log = ProcessLog()
    for line in lines:
        log.add(line.encode())
    return log


def test_the_last_lines() -> None:
    log = written("one", "two\r", "three")
    assert log.last(2) == ("two", "three")
    assert log.last(0) == ()
    log.begin()
    assert log.last(2) == ()


def test_it_is_bounded() -> None:
    log = written(*map(str, range(MAX_LOG_LINES + 5)))
    assert len(log.last(2 * MAX_LOG_LINES)) == MAX_LOG_LINES


async def test_whoever_follows_gets_every_new_line_until_the_end() -> None:
    log = written("one", "two")
    seen: list[str] = []
    first = asyncio.Event()

    async def follow() -> None:
        async for line in log.follow(1):
            seen.append(line)
            first.set()

    async with asyncio.timeout(10):
        following = asyncio.ensure_future(follow())
        await first.wait()
        log.add(b"three")
        log.end()
        await following
    assert seen == ["two", "three"]
