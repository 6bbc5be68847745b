"""The application as clients reach it: through the proxying, on the public ports."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from proxy.rules.site import make_site
from tests.edges import PUBLIC, edge, request
from tests.heads import JUPYTER
from tests.upstreams import OK, says, upstream

TOKEN = b"/.well-known/acme-challenge/token"
SITE = make_site((PUBLIC,), JUPYTER, challenges=True, hsts_seconds=3600)


async def test_health_has_the_fields_it_always_had() -> None:
    async with edge(None, site=SITE) as labgate:
        answer = await labgate.ask(request(b"/.labgate/health"))
        head, _, content = answer.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"HTTP/1.1 200 OK"
        assert content == b"serving\n"
        fields = dict(line.split(b": ", 1) for line in lines[1:])
        assert fields[b"Content-Type"] == b"text/plain; charset=utf-8"
        assert fields[b"Content-Length"] == b"8"
        assert fields[b"Cache-Control"] == b"no-store"
        assert fields[b"X-Content-Type-Options"] == b"nosniff"
        assert fields[b"Connection"] == b"close"
        assert b"Date" in fields
        assert b"Server" not in fields
        assert b"Strict-Transport-Security" not in fields, "it is answered over plain HTTP, too"
        (record,) = labgate.records
        assert (record.status, record.outcome) == (200, "answered here")
        assert not record.fields_up.changes
        assert not record.changes_down


async def test_head_keep_alive_and_http_1_0() -> None:
    async with edge(None) as labgate:
        reader, writer = await labgate.connect()
        for _ in range(3):
            writer.write(b"HEAD /.labgate/health HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nContent-Length: 8\r\n" in head
            assert b"\r\nConnection:" not in head
        writer.write(b"GET /.labgate/health HTTP/1.0\r\n\r\n")
        last = await reader.read()
        assert last.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nConnection: close\r\n" in last
        assert last.endswith(b"\r\n\r\nserving\n")
        kept = b"GET /.labgate/health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        reader, writer = await labgate.connect()
        for _ in range(2):
            writer.write(kept)
            head = await reader.readuntil(b"\r\n\r\nserving\n")
            assert b"\r\nConnection: keep-alive\r\n" in head
        assert labgate.router.web_app.pool.connections == 1, "all over one connection"


HOSTS = [
    (),
    (b"Host: 10.0.0.1:8443",),
    (b"Host: evil.example",),
    pytest.param(
        (b"Host: a", b"Host: b"), marks=pytest.mark.own_protocol("aiohttp refuses two of them")
    ),
]
TARGETS = [b"/.labgate/health", b"/.labgate/health?", b"/.labgate/health?a=%zz&%00<>\"|'{}[]^`\\"]


@pytest.mark.parametrize("hosts", HOSTS)
@pytest.mark.parametrize("target", TARGETS)
async def test_health_is_answered_whatever_the_host_and_the_query(
    hosts: tuple[bytes, ...], target: bytes
) -> None:
    version = b"1.1" if hosts else b"1.0"
    lines = [b"GET %b HTTP/%b" % (target, version), *hosts, b"Connection: close", b"\r\n"]
    for redirects in (False, True):
        async with edge(None, redirects=redirects) as labgate:
            answer = await labgate.ask(b"\r\n".join(lines))
            assert answer.startswith(b"HTTP/1.1 200 "), answer


CLAIMS = [
    b"X-Real-IP: 203.0.113.66",
    b"X-Real_IP: 203.0.113.66",
    b"x_real_ip: 203.0.113.66",
    b"X-Forwarded-For: 203.0.113.66",
]


@pytest.mark.parametrize("claim", CLAIMS)
async def test_nobody_names_another_address_to_the_application(
    claim: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with edge(None, site=SITE, challenge_folders=[tmp_path]) as labgate:
        answer = await labgate.ask(request(TOKEN, claim))
        assert answer.startswith(b"HTTP/1.1 404 ")
    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert line == "refused 404 by rule challenge: no file for 'token' from 127.0.0.1"


async def test_a_challenge_is_answered_on_both_ports(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token.thumbprint")
    for redirects in (False, True):
        async with edge(
            None, site=SITE, redirects=redirects, challenge_folders=[tmp_path]
        ) as labgate:
            answer = await labgate.ask(request(TOKEN))
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"\r\n\r\ntoken.thumbprint")


async def test_a_browser_gets_a_page_for_a_challenge_that_is_absent() -> None:
    async with edge(None, site=SITE) as labgate:
        answer = await labgate.ask(request(TOKEN, b"Accept: text/html"))
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"\r\nContent-Type: text/html; charset=utf-8\r\n" in answer
        assert b"<h1>There is nothing here</h1>" in answer


UNKNOWN = [
    b"/.labgate/",
    b"/.labgate",
    b"/.labgate/metrics",
    b"/.labgate/inspector",
    b"/.labgate/api/routes",
    b"/.labgate/health/",
    b"/.labgate/%68ealth",
    b"/.labgate//health",
    b"/.labgate/../.labgate/health",
    b"/./.labgate/health",
    b"/metrics",
    b"/lab/.labgate/health",
]


@pytest.mark.parametrize("target", UNKNOWN)
async def test_an_unknown_path_is_jupyters(target: bytes) -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(request(target))
        assert answer.endswith(b"ok")
        assert jupyter.heads.startswith(b"GET %b HTTP/1.1\r\n" % target)
        assert labgate.router.web_app.pool.connections == 0


async def test_options_with_no_hops_left_is_answered_without_the_application() -> None:
    async with edge(None) as labgate:
        answer = await labgate.ask(request(b"*", b"Max-Forwards: 0", method=b"OPTIONS"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\nThis is as far as Max-Forwards lets it go.\n")
        (record,) = labgate.records
        assert (record.status, record.outcome) == (200, "answered here")
        assert labgate.router.web_app.pool.connections == 0


async def test_an_answer_does_not_wait_for_content() -> None:
    """Whatever content comes with it: nobody reads it, and the next request is understood."""
    health = b"GET /.labgate/health HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
    async with asyncio.timeout(30), edge(None) as labgate:
        reader, writer = await labgate.connect()
        writer.write(health)
        assert (await reader.readuntil(b"serving\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"hello" + health + b"hello")
        assert (await reader.readuntil(b"serving\n")).startswith(b"HTTP/1.1 200 ")


async def test_a_site_with_a_login_gives_its_session_to_the_application_alone() -> None:
    site = replace(SITE, requires_login=True)
    assert site.for_web_app() == replace(site, requires_login=False, preserve=True, hsts_seconds=0)


async def test_content_for_labgates_own_paths_reaches_nobody() -> None:
    """aiohttp would decompress it, and what is no gzip would end the next client's request."""
    async with asyncio.timeout(30), edge(None) as labgate:
        for _ in range(20):
            lines = (b"Content-Encoding: gzip", b"Content-Length: 10")
            asked = request(b"/.labgate/health", *lines, method=b"POST", content=b"A" * 10)
            assert (await labgate.ask(asked)).startswith(b"HTTP/1.1 405 ")
            other = request(b"/.labgate/health", method=b"POST")
            assert (await labgate.ask(other)).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    "lines",
    [
        (b"Cookie: c=" + b"x" * 40_000,),
        pytest.param(
            (b"Content-Type: a/b", b"Content-Type: c/d"),
            marks=pytest.mark.own_protocol("aiohttp refuses two of them"),
        ),
        (b"Content-Encoding: br",),
        (b"Authorization: Basic " + b"x" * 20_000,),
        tuple(b"X-Field-%d: x" % number for number in range(120)),
    ],
    ids=["cookie", "type", "coding", "credentials", "fields"],
)
async def test_what_labgate_lets_through_aiohttp_does_too(
    lines: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async with edge(None) as labgate:
        answer = await labgate.ask(request(b"/.labgate/health?" + b"x" * 9_000, *lines))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Server:" not in answer
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]
