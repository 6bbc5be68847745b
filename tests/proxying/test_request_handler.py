"""Requests through a real edge to a recording upstream, judged by the bytes on both sides."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.net.reset import reset
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.access_line import format_line
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from tests.edges import PUBLIC, edge, request
from tests.upstreams import OK, Visit, says, upstream

SECONDS = 60.0


async def test_a_get_is_rewritten_on_the_way_up() -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(
            request(
                b"/api/contents/a%2Fb%20c?x=%7E@",
                b"Origin: https://lab.example.org",
                b"Referer: https://lab.example.org/lab/tree/x",
                b"X-Forwarded-For: 6.6.6.6",
                b"X-Scheme: http",
            )
        )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nok")
    host = jupyter.address.origin.authority.encode()
    assert jupyter.heads == (
        b"GET /api/contents/a%2Fb%20c?x=%7E@ HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"Origin: http://" + host + b"\r\n"
        b"Referer: http://" + host + b"/lab/tree/x\r\n"
        b"X-Real-IP: 127.0.0.1\r\n"
        b"X-Forwarded-For: 127.0.0.1\r\n"
        b"X-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: lab.example.org\r\n"
        b"Via: 1.1 labgate\r\n"
        b"X-Request-Id: " + labgate.records[0].request_id + b"\r\n\r\n"
    )


async def test_every_request_has_a_name_of_its_own() -> None:
    given = b"X-Request-Id: mine"
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        for _ in range(2):
            await labgate.ask(request(b"/", given))
    first, second = (record.request_id for record in labgate.records)
    assert first != second
    sent = re.findall(rb"(?i)x-request-id: (\S+)", jupyter.heads)
    assert sent == [first, second], "a client gives no names"


async def test_a_trusted_proxy_names_the_request() -> None:
    site = make_site((PUBLIC,), PUBLIC, trusted_proxies=Networks([ip_network("127.0.0.1")]))
    given = (b"X-Request-Id: 0af7-65", b"X-Forwarded-For: 203.0.113.7")
    async with upstream(says(OK)) as jupyter, edge(jupyter.address, site=site) as labgate:
        await labgate.ask(request(b"/", *given))
        refused = await labgate.ask(request(b"/", *given, b"Origin: null"))
    assert jupyter.heads.count(b"X-Request-Id: 0af7-65\r\n") == 1
    assert b"\r\nX-Request-Id: 0af7-65\r\n" in refused
    assert [record.request_id for record in labgate.records] == [b"0af7-65"] * 2


TRACE = b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"


async def test_the_trace_context_passes_untouched() -> None:
    """W3C Trace Context: a proxy that takes no part in a trace forwards both fields as they are."""
    fields = TRACE + b"tracestate: a=1,b=2 ;c\r\n"
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        await labgate.ask(request(b"/", *fields.splitlines()))
    assert fields in jupyter.heads


async def test_connections_persist_on_both_sides() -> None:
    async with upstream(says(OK, OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(2) == b"ok"
        writer.close()
    assert len(jupyter.visits) == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def echo_target(visit: Visit) -> None:
        while head := await visit.head():
            target = head.split(b" ")[1]
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target) + target)

    async with upstream(echo_target) as jupyter, edge(jupyter.address) as labgate:
        get = b"GET /%d HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"
        answer = await labgate.ask(get % 1 + get % 2 + request(b"/3"))
    assert [part[-2:] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"/1", b"/2", b"/3"]


async def test_a_client_that_does_not_read_slows_jupyter_down() -> None:
    big = b"x" * 262_144

    async def answer_all(visit: Visit) -> None:
        while await visit.head():
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(big) + big)

    async with upstream(answer_all) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n" * 200)
        await labgate.recorded.wait()
        for _ in range(2000):
            await asyncio.sleep(0)
        answered = len(labgate.records)
        assert 1 <= answered < 100
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(200):
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(len(big))
        assert len(labgate.records) == 200


async def test_an_upload_is_streamed_both_ways() -> None:
    async def count(visit: Visit) -> None:
        await visit.head()
        received = await visit.exactly(3_000_000)
        await visit.say(b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n%d" % len(received))

    async with upstream(count) as jupyter, edge(jupyter.address) as labgate:
        content = b"x" * 3_000_000
        answer = await labgate.ask(
            request(b"/f", b"Content-Length: 3000000", method=b"PUT", content=content)
        )
    assert answer.endswith(b"\r\n\r\n3000000")


async def test_a_chunked_upload_stays_chunked() -> None:
    async def read_chunks(visit: Visit) -> None:
        head = await visit.head()
        assert b"Transfer-Encoding: chunked" in head
        assert b"Content-Length" not in head
        await visit.exactly(len(b"5\r\nhello\r\n"))
        await visit.exactly(len(b"0\r\n\r\n"))
        await visit.say(OK)

    async with upstream(read_chunks) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request(b"/", b"Transfer-Encoding: chunked", method=b"POST"))
        writer.write(b"5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n")
        assert (await reader.read()).endswith(b"ok")
        writer.close()
    assert jupyter.heads.endswith(b"5\r\nhello\r\n0\r\n\r\n")


async def test_an_answer_without_length_becomes_chunked() -> None:
    answer = says(b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close=True)
    async with upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        answered = await labgate.ask(request())
    assert b"Transfer-Encoding: chunked" in answered
    assert answered.endswith(b"d\r\nuntil the end\r\n0\r\n\r\n")


async def test_an_http_1_0_client_gets_no_chunks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    async with upstream(says(chunked)) as jupyter, edge(jupyter.address) as labgate:
        answered = await labgate.ask(b"GET / HTTP/1.0\r\nHost: lab.example.org\r\n\r\n")
    assert b"chunked" not in answered
    assert answered.endswith(b"\r\n\r\nhello")


async def test_head_has_a_length_and_no_content() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"
    async with upstream(says(head, OK)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(b"HEAD / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
        assert b"Content-Length: 500" in await reader.readuntil(b"\r\n\r\n")
        writer.write(request())
        assert (await reader.read()).endswith(b"ok")
        writer.close()
    assert len(jupyter.visits) == 1


async def test_interim_answers_are_passed_on() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK
    async with upstream(says(interim)) as jupyter, edge(jupyter.address) as labgate:
        answered = await labgate.ask(request())
    assert answered.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 ")
    assert answered.count(b"HTTP/1.1 ") == 3


async def test_expect_100_continue_is_jupyters_to_answer() -> None:
    async def careful(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await visit.exactly(4)
        await visit.say(OK)

    async with upstream(careful) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request(b"/", b"Expect: 100-continue", b"Content-Length: 4", method=b"POST"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"body")
        assert (await reader.read()).endswith(b"ok")
        writer.close()


async def test_a_truncated_answer_is_a_truncated_answer() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    async with upstream(says(chunked, close=True)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request())
        assert (await reader.readuntil(b"5\r\nhello\r\n")).startswith(b"HTTP/1.1 200 ")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
    assert "middle" in labgate.records[0].outcome


async def test_a_truncated_upload_never_completes() -> None:
    gone = asyncio.Event()

    async def wait_for_all(visit: Visit) -> None:
        await visit.head()
        try:
            await visit.exactly(100)
        finally:
            gone.set()

    async with upstream(wait_for_all) as jupyter, edge(jupyter.address) as labgate:
        _, writer = await labgate.connect()
        writer.write(request(b"/", b"Content-Length: 100", method=b"PUT", content=b"half"))
        await jupyter.arrived.wait()
        writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 30)
    assert len(jupyter.visits[0].received.split(b"\r\n\r\n")[1]) < 100


async def test_a_client_that_leaves_frees_jupyter() -> None:
    gone = asyncio.Event()

    async def endless(visit: Visit) -> None:
        await visit.head()
        await visit.reader.read()
        gone.set()

    async with upstream(endless) as jupyter, edge(jupyter.address) as labgate:
        _, writer = await labgate.connect()
        writer.write(request())
        await jupyter.arrived.wait()
        reset(writer.transport)
        await asyncio.wait_for(gone.wait(), 30)
    assert labgate.records[0].outcome == "the client went away"


async def test_a_client_that_half_closes_still_gets_its_answer() -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
        writer.write_eof()
        assert (await reader.read()).endswith(b"ok")
        writer.close()


async def test_an_early_answer_reaches_a_client_that_still_sends() -> None:
    async def too_much(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await visit.reader.read()

    async with upstream(too_much) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request(b"/", b"Content-Length: 1000", method=b"PUT", content=b"a"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert await reader.readexactly(3) == b"big"
        writer.close()


async def test_a_stale_connection_is_replaced_for_a_get_only() -> None:
    async def once(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK)
        await visit.head()  # taken, then closed without an answer

    async with upstream(once) as jupyter, edge(jupyter.address) as labgate:
        for _ in range(2):
            assert (await labgate.ask(request())).endswith(b"ok")
        assert len(jupyter.visits) == 2
        answer = await labgate.ask(
            request(b"/", b"Content-Length: 1", method=b"POST", content=b"x")
        )
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert len(jupyter.visits) == 2


async def test_a_stale_connection_to_an_upstream_that_is_gone_is_503() -> None:
    """As when Jupyter ends: the connection that was idle, and then its port as well."""

    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.readuntil(b"\r\n\r\n")
        server.close()
        writer.close()

    server = await asyncio.start_server(ends, "127.0.0.1", 0)
    address = UpstreamAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    async with asyncio.timeout(SECONDS), edge(address) as labgate:
        assert (await labgate.ask(request())).endswith(b"ok")
        answer = await labgate.ask(request(b"/lab", b"Accept: text/html"))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"location.reload" in answer


DOWN = [
    pytest.param(b"Accept: text/html", b"location.reload", id="a person gets a page that reloads"),
    pytest.param(b"Accept: */*", b"try again", id="a program gets a sentence"),
]


@pytest.mark.parametrize(("accept", "expected"), DOWN)
async def test_an_upstream_that_is_down_is_503(accept: bytes, expected: bytes) -> None:
    async with edge(UpstreamAddress("127.0.0.1", 1)) as labgate:
        answer = await labgate.ask(request(b"/lab", accept))
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 2\r\n" in answer
    assert expected in answer


GARBAGE = [
    pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", id="another protocol"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", id="lengths"
    ),
    pytest.param(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        id="an unasked 101",
    ),
]


@pytest.mark.parametrize("answer", GARBAGE)
async def test_garbage_is_502(answer: bytes) -> None:
    async with upstream(says(answer)) as jupyter, edge(jupyter.address) as labgate:
        answered = await labgate.ask(request())
    assert answered.startswith(b"HTTP/1.1 502 ")
    assert answered.count(b"HTTP/1.1") == 1


async def test_unsolicited_bytes_end_the_connection() -> None:
    async def talkative(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await visit.reader.read()

    async with upstream(talkative) as jupyter, edge(jupyter.address) as labgate:
        for _ in range(2):
            assert (await labgate.ask(request())).endswith(b"\r\n\r\nok")
    assert len(jupyter.visits) == 2


REFUSED = [
    pytest.param(b"Origin: https://evil.example", 403, "origin", id="foreign origin"),
    pytest.param(b"Origin: null", 403, "origin", id="null origin"),
    pytest.param(b"Sec-Fetch-Site: cross-site", 403, "fetch-site", id="cross-site fetch"),
]


@pytest.mark.parametrize(("field", "status", "rule"), REFUSED)
async def test_refused_requests_never_reach_jupyter(field: bytes, status: int, rule: str) -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(request(b"/api/contents", field))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert jupyter.visits == []
    assert labgate.records[0].outcome == f"refused ({rule})"


async def test_what_is_captured_names_its_route() -> None:
    foreign = request(b"/api", b"Origin: https://evil.example")
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect(content=False)
        labgate.router.rename("/ada")
        labgate.router.use(labgate.router.site)
        await labgate.ask(request())
        await labgate.ask(foreign)
        # A Hub's router is for many routes, and has no name.
        labgate.router.rename("")
        labgate.router.jupyter = replace(labgate.router.jupyter, name="/bob")
        await labgate.ask(request())
        await labgate.ask(foreign)
    assert [record.route for record in labgate.records] == ["/ada", "/ada", "/bob", ""]


@pytest.mark.parametrize("access_log", [False, True])
async def test_a_failure_of_the_upstream_gets_one_line(
    access_log: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with upstream(says(b"x\r\n\r\n")) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.log.access_log = access_log
        await labgate.ask(request(b"/lab?token=s3cret"))
    assert labgate.records[0].warning
    line = format_line(labgate.records[0])
    if not access_log:
        (line,) = caplog.messages
        assert line.startswith("GET /lab?token=[redacted] from 127.0.0.1 [")
    assert len(caplog.messages) == (not access_log)
    assert labgate.records[0].outcome in line


async def test_a_refusal_gets_one_line_in_the_access_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with edge(None) as labgate:
        labgate.services.log.access_log = True
        await labgate.ask(request(b"/", b"Origin: null"))
    assert caplog.messages == []
    (record,) = labgate.records
    assert record.warning
    assert " refused (origin): Origin 'null' [" in format_line(record)


LOGGED = [
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: lab.example.org\r\nOrigin: null\r\n",
        "refused 403 by rule origin: Origin 'null'; GET / from 127.0.0.1 [ID]",
        id="a value",
    ),
    pytest.param(
        b"GET /ws HTTP/1.1\r\nHost: lab.example.org\r\n"
        b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
        "refused 403 by rule websocket-origin: no Origin field; GET /ws from 127.0.0.1 [ID] "
        "(programs: send one, or set site.websocket_without_origin)",
        id="a field that is missing",
    ),
    pytest.param(
        b"CONNECT lab.example.org:443 HTTP/1.1\r\nHost: lab.example.org\r\n",
        "refused 405 by rule target: CONNECT is not relayed here; "
        "CONNECT lab.example.org:443 from 127.0.0.1 [ID]",
        id="no field at all",
    ),
    pytest.param(
        b"GET / HTTP/1.1\r\nHost: lab.example.org:9443\r\n",
        "refused 421 by rule host: Host 'lab.example.org:9443'; GET / from 127.0.0.1 [ID] "
        "(lab.example.org:9443 differs from the public lab.example.org:443 in the port alone; "
        "where a NAT, a container or a proxy in front has another port, start with "
        "--domain lab.example.org:9443)",
        id="a port that something else maps",
    ),
]


@pytest.mark.parametrize(("head", "line"), LOGGED)
async def test_a_refusal_says_in_the_log_what_is_at_fault(
    head: bytes, line: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with edge(None) as labgate:
        answer = await labgate.ask(head + b"Connection: close\r\n\r\n")
    name = labgate.records[0].request_id
    assert caplog.messages == [line.replace("ID", name.decode())]
    assert b"\r\nX-Request-Id: " + name + b"\r\n" in answer
    for record in (b"lab.example.org", b"--domain", b"websocket_without_origin"):
        assert record not in answer, "the operator's business"


async def test_a_malformed_request_is_400_and_names_no_software() -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(b"GET / HTTP/1.1\r\nHost : lab.example.org\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"aiohttp" not in answer
    assert b"Python" not in answer
    assert jupyter.visits == []


async def test_plain_http_is_redirected() -> None:
    async with edge(None, redirects=True) as labgate:
        answer = await labgate.ask(request(b"/lab?a=b", method=b"POST"))
    assert answer.startswith(b"HTTP/1.1 308 ")
    assert b"\r\nLocation: https://lab.example.org/lab?a=b\r\n" in answer


async def test_health_answers_by_address() -> None:
    async with edge(None) as labgate:
        probe = b"GET /.labgate/%b HTTP/1.1\r\nHost: 10.0.0.1\r\nConnection: close\r\n\r\n"
        assert (await labgate.ask(probe % b"health")).startswith(b"HTTP/1.1 200 ")
        assert (await labgate.ask(probe % b"ready")).startswith(b"HTTP/1.1 503 ")
