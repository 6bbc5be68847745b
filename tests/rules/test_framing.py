"""How content ends: one reading of Content-Length and Transfer-Encoding for all."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

import proxy
from proxy.http1.connection_states import ClientState
from proxy.http1.request_parser import RequestParser
from proxy.net.limits import DEFAULT_LIMITS
from proxy.rules.decision import Refuse
from proxy.rules.framing import (
    NO_LENGTH,
    TWO_FRAMINGS,
    UNKNOWN_CODING,
    Framing,
    FramingFault,
    read_framing,
)
from proxy.rules.head import ResponseHead
from proxy.rules.message import check_message, connection_facts
from proxy.rules.origin import is_websocket
from proxy.rules.request import upstream_fields
from proxy.rules.response_faults import response_fault, switches_to_websocket
from tests.heads import HOST, SITE, get

NO_CONTENT = Framing()
CHUNKED = Framing(chunked=True)
LENGTH_FAULT = Framing(fault=FramingFault(400, "Content-Length", NO_LENGTH))
BOTH = Framing(chunked=True, fault=FramingFault(400, "Transfer-Encoding", TWO_FRAMINGS))
ENDLESS = Framing(chunked=True, fault=FramingFault(400, "Transfer-Encoding", UNKNOWN_CODING))
UNKNOWN = Framing(chunked=True, fault=FramingFault(501, "Transfer-Encoding", UNKNOWN_CODING))

TABLE: list[tuple[list[bytes], list[bytes], Framing]] = [
    ([], [], NO_CONTENT),
    ([b"0"], [], NO_CONTENT),
    ([b"00"], [], NO_CONTENT),
    ([b"12"], [], Framing(12)),
    ([b"012"], [], Framing(12)),
    ([b"999999999999999999"], [], Framing(10**18 - 1)),
    ([b"1234567890123456789"], [], LENGTH_FAULT),
    ([b"1", b"1"], [], LENGTH_FAULT),
    ([b"1, 1"], [], LENGTH_FAULT),
    ([b"+1"], [], LENGTH_FAULT),
    ([b"-1"], [], LENGTH_FAULT),
    ([b"0x1"], [], LENGTH_FAULT),
    ([b"1_0"], [], LENGTH_FAULT),
    ([b"1 2"], [], LENGTH_FAULT),
    ([b"1\n"], [], LENGTH_FAULT),
    ([b"\xb2"], [], LENGTH_FAULT),
    ([b""], [], LENGTH_FAULT),
    ([], [b"chunked"], CHUNKED),
    ([], [b" Chunked\t"], CHUNKED),
    ([], [b"chunked", b"chunked"], ENDLESS),
    ([], [b"chunked, chunked"], ENDLESS),
    ([], [b"chunked, gzip"], ENDLESS),
    ([], [b"gzip"], ENDLESS),
    ([], [b"XchunkedX"], ENDLESS),
    ([], [b"identity"], ENDLESS),
    ([], [b""], ENDLESS),
    ([], [b"chunked,"], ENDLESS),
    ([], [b"chunked;a=b"], ENDLESS),
    ([], [b"\x0bchunked"], ENDLESS),
    ([], [b"gzip, chunked"], UNKNOWN),
    ([], [b"gzip", b"chunked"], UNKNOWN),
    ([], [b", chunked"], UNKNOWN),
    ([b"1"], [b"chunked"], BOTH),
    ([b"0"], [b"gzip"], BOTH),
    ([b"x"], [b"chunked"], BOTH),
]


@pytest.mark.parametrize(("lengths", "codings", "framing"), TABLE)
def test_framing(lengths: list[bytes], codings: list[bytes], framing: Framing) -> None:
    assert read_framing(lengths, codings) == framing
    assert framing.has_content == bool(framing.length or codings)


@pytest.mark.parametrize(("lengths", "codings", "framing"), TABLE)
def test_everybody_reads_it_alike(
    lengths: list[bytes], codings: list[bytes], framing: Framing
) -> None:
    """The policy, the connection, an upgrade, what goes up, and what comes back."""
    fields = tuple(
        [(b"content-LENGTH", value) for value in lengths]
        + [(b"transfer-ENCODING", value) for value in codings]
    )
    head = get(HOST, method=b"POST")
    head = replace(head, fields=head.fields + fields)
    assert head.framing == framing
    refusal = check_message(head)
    if framing.fault is None:
        assert refusal is None
    else:
        assert refusal is not None
        assert refusal.close
        assert (refusal.status, refusal.field) == framing.fault[:2]
        assert refusal.sentence == framing.fault.sentence
    assert connection_facts(head).persistent == (not codings)
    upgrade = get(HOST, b"Connection: Upgrade", b"Upgrade: websocket")
    upgrade = replace(upgrade, fields=upgrade.fields + fields)
    assert is_websocket(upgrade) == (not framing.has_content)
    if framing.fault is None:
        coded = (b"Transfer-Encoding", b"chunked") in upstream_fields(head, SITE)
        assert coded == framing.chunked
    if codings:
        assert bool(response_fault(ResponseHead(200, b"OK", fields), "1.1")) == bool(framing.fault)
    switched = ResponseHead(101, b"", ((b"Upgrade", b"websocket"), *fields))
    assert switches_to_websocket(switched) == (framing == NO_CONTENT)


def test_http_1_0_has_no_transfer_encoding() -> None:
    head = replace(get(HOST, b"Transfer-Encoding: chunked"), version=(1, 0))
    refusal = check_message(head)
    assert refusal is not None
    assert (refusal.status, refusal.rule, refusal.value) == (400, "transfer-encoding", b"chunked")


PARSED = [
    (b"content-length:\t12 \r\n", ClientState.BODY),
    (b"Content-Length: 0\r\n", ClientState.DONE),
    (b"X-Content-Length: 12\r\n", ClientState.DONE),
    (b"Content_Length: 12\r\n", ClientState.DONE),
    (b"Content-Length:\r\n", 400),
    (b"Content-Length: 1\r\nCONTENT-LENGTH: 1\r\n", 400),
    (b"TRANSFER-ENCODING: anything\r\nContent-Length: x\r\n", ClientState.CHUNKED_BODY),
]


@pytest.mark.parametrize(("fields", "expected"), PARSED)
def test_parser(fields: bytes, expected: ClientState | int) -> None:
    parser = RequestParser(DEFAULT_LIMITS)
    piece, rest = parser.read(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    assert not rest
    assert (piece.status if isinstance(piece, Refuse) else parser.state) == expected


NAMED = {
    "doctor/raw.py": "reads what other servers answer",
    "http1/response_parser.py": "asks whether it is there, when it has no fault",
    "http1/response_writer.py": "writes it",
    "http2/request_head.py": "refuses it from clients; adds it for content of unknown length",
    "inspector/curl.py": "leaves it out",
    "inspector/replay_request.py": "leaves it out",
    "rules/framing.py": "names the field at fault",
    "rules/head.py": "hands over a request's values",
    "rules/hop_by_hop.py": "leaves it out, and writes it",
    "rules/message.py": "names the field at fault",
    "rules/response_faults.py": "hands over a response's values",
}
"""Who has a use for the field's name."""


def test_nobody_else_reads_the_codings() -> None:
    root = Path(next(iter(proxy.__path__)))
    texts = {str(file.relative_to(root)): file.read_text("utf-8") for file in root.rglob("*.py")}
    assert NAMED.keys() == {
        file for file, text in texts.items() if '"transfer-encoding"' in text.lower()
    }
    for file in NAMED:
        calls = [node for node in ast.walk(ast.parse(texts[file])) if isinstance(node, ast.Call)]
        taken = {id(call) for call in calls if "transfer-encoding" in values_taken(call)}
        given = {
            id(argument)
            for call in calls
            if isinstance(call.func, ast.Name) and call.func.id == "read_framing"
            for argument in call.args
        }
        assert taken <= given, f"{file} must give every value to read_framing, and to nobody else"


def values_taken(call: ast.Call) -> list[str]:
    """The fields whose values are asked for: ``head.values(b"host")``, ``index.get(b"host")``."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in ("values", "get"):
        return []
    names = [name.value for name in call.args if isinstance(name, ast.Constant)]
    return [name.decode("latin-1").lower() for name in names if isinstance(name, bytes)]
