"""Header lists of HTTP/2 and the heads they become; tests/wire sends them as frames."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from proxy.http2.priorities import Priority
from proxy.http2.request_head import RequestHeadReader, check_trailers
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, Field, RequestHead
from tests.http2.frames import GET

ARRIVAL = Arrival("192.0.2.1")
LINE = len(b"GET / HTTP/1.1")


def read(
    received: Sequence[Field], *, ended: bool = True, limits: Limits = DEFAULT_LIMITS
) -> RequestHead | Refuse:
    return RequestHeadReader(limits, ARRIVAL).read(list(received), ended=ended)


def replaced(name: bytes, value: bytes | None) -> tuple[Field, ...]:
    """The usual request with another pseudo-field, or without one."""
    changed: list[Field] = []
    for key, before in GET:
        after = value if key == name else before
        if after is not None:
            changed.append((key, after))
    return tuple(changed)


def test_a_head_is_that_of_http_1_1() -> None:
    head = read((*GET, (b"accept", b"*/*"), (b"x-a", b"1"), (b"x-a", b"2\t\xe9")))
    assert isinstance(head, RequestHead)
    assert (head.method, head.target, head.version) == (b"GET", b"/", (2, 0))
    assert head.fields == (
        (b"host", b"lab.example.org"),
        (b"accept", b"*/*"),
        (b"x-a", b"1"),
        (b"x-a", b"2\t\xe9"),
    )
    assert head.arrival is ARRIVAL
    assert not head.framing.has_content


ACCEPTED = [
    pytest.param(GET, True, None, id="nothing more"),
    pytest.param((GET[3], GET[1], GET[0], GET[2]), True, None, id="pseudo-fields in any order"),
    pytest.param(replaced(b":path", b"/a%20b?c=//x"), True, None, id="a target"),
    pytest.param(
        ((b":method", b"OPTIONS"), (b":path", b"*"), GET[1], GET[2]), True, None, id="asterisk"
    ),
    pytest.param(
        (*replaced(b":authority", None), (b"host", b"lab.example.org")),
        True,
        None,
        id="Host instead of an authority",
    ),
    pytest.param((*GET, (b"host", b"LAB.example.org")), True, None, id="the same Host beside it"),
    pytest.param((*GET, (b"te", b"trailers")), True, (b"te", b"trailers"), id="TE"),
    pytest.param((*GET, (b"x-empty", b"")), True, (b"x-empty", b""), id="an empty value"),
    pytest.param(
        (*GET, (b"content-length", b"0")), True, (b"content-length", b"0"), id="no content"
    ),
    pytest.param(
        (*GET, (b"content-length", b"3")), False, (b"content-length", b"3"), id="some content"
    ),
    pytest.param(GET, False, (b"transfer-encoding", b"chunked"), id="content of unknown length"),
]


@pytest.mark.parametrize(("received", "ended", "field"), ACCEPTED)
def test_accepted(received: Sequence[Field], ended: bool, field: Field | None) -> None:
    head = read(received, ended=ended)
    assert isinstance(head, RequestHead)
    assert head.values(b"host") == (b"lab.example.org",)
    assert field is None or field in head.fields


REFUSED = [
    pytest.param(replaced(b":method", None), 400, "method", id="no method"),
    pytest.param(replaced(b":method", b""), 400, "method", id="an empty method"),
    pytest.param(replaced(b":method", b"GET /x"), 400, "method", id="a space in the method"),
    pytest.param(replaced(b":method", b"GET\r\n"), 400, "method", id="a line end in the method"),
    pytest.param(replaced(b":method", b"CONNECT"), 405, "target", id="CONNECT"),
    pytest.param(
        ((b":method", b"CONNECT"), (b":authority", b"a:22")), 405, "target", id="plain CONNECT"
    ),
    pytest.param(
        ((b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]),
        400,
        "pseudo-field",
        id="extended CONNECT",
    ),
    pytest.param(replaced(b":scheme", None), 400, "scheme", id="no scheme"),
    pytest.param(replaced(b":scheme", b"http"), 400, "scheme", id="another scheme"),
    pytest.param(replaced(b":scheme", b"https\r\nx: y"), 400, "scheme", id="more than a scheme"),
    pytest.param(replaced(b":path", None), 400, "target", id="no path"),
    pytest.param(replaced(b":path", b""), 400, "target", id="an empty path"),
    pytest.param(replaced(b":path", b"a"), 400, "target", id="no slash"),
    pytest.param(replaced(b":path", b"https://lab.example.org/"), 400, "target", id="absolute"),
    pytest.param(replaced(b":path", b"/ HTTP/1.1\r\nx: y"), 400, "target", id="lines in the path"),
    pytest.param(replaced(b":path", b"/a b"), 400, "target", id="a space in the path"),
    pytest.param(replaced(b":path", b"/\x00"), 400, "target", id="NUL in the path"),
    pytest.param(replaced(b":path", b"/\xc3\xa9"), 400, "target", id="not ASCII in the path"),
    pytest.param(replaced(b":path", b"*x"), 400, "target", id="more than an asterisk"),
    pytest.param(replaced(b":authority", None), 400, "host", id="no authority"),
    pytest.param(replaced(b":authority", b"a\r\nx: y"), 400, "host", id="lines in the authority"),
    pytest.param((*GET, (b"host", b"other")), 400, "host", id="another Host beside it"),
    pytest.param(
        (*GET, (b"host", b"lab.example.org"), (b"host", b"lab.example.org")),
        400,
        "host",
        id="two Hosts",
    ),
    pytest.param((*GET, (b":path", b"/")), 400, "pseudo-field", id="twice"),
    pytest.param((*GET, (b":status", b"200")), 400, "pseudo-field", id="of a response"),
    pytest.param((*GET, (b":x", b"y")), 400, "pseudo-field", id="unknown"),
    pytest.param((*GET, (b"", b"y")), 400, "fields", id="without a name"),
    pytest.param((*GET[:3], (b"x", b"y"), GET[3]), 400, "target", id="late"),
    pytest.param((*GET, (b"x", b"y"), (b":path", b"/")), 400, "fields", id="late and twice"),
    pytest.param((*GET, (b"X", b"y")), 400, "fields", id="upper case"),
    pytest.param((*GET, (b"x y", b"")), 400, "fields", id="a space in a name"),
    pytest.param((*GET, (b"x:", b"y")), 400, "fields", id="a colon in a name"),
    pytest.param((*GET, (b"x\r\ny", b"z")), 400, "fields", id="a line end in a name"),
    pytest.param((*GET, (b"x\ny", b"z")), 400, "fields", id="an LF in a name"),
    pytest.param((*GET, (b"x\xe9", b"y")), 400, "fields", id="not ASCII in a name"),
    pytest.param((*GET, (b"x", b"y\r\nz: 1")), 400, "fields", id="a line end in a value"),
    pytest.param((*GET, (b"x", b"y\nz")), 400, "fields", id="an LF in a value"),
    pytest.param((*GET, (b"x", b"y\rz")), 400, "fields", id="a CR in a value"),
    pytest.param((*GET, (b"x", b"y\0z")), 400, "fields", id="NUL in a value"),
    pytest.param((*GET, (b"x", b"\x7f")), 400, "fields", id="DEL in a value"),
    pytest.param((*GET, (b"x", b" y")), 400, "fields", id="a space before a value"),
    pytest.param((*GET, (b"x", b"y\t")), 400, "fields", id="a tab behind a value"),
    pytest.param((*GET, (b"x", b" ")), 400, "fields", id="nothing but a space"),
    *(
        pytest.param((*GET, (name, b"x")), 400, "connection-field", id=name.decode())
        for name in (b"connection", b"keep-alive", b"proxy-connection", b"upgrade")
    ),
    pytest.param(
        (*GET, (b"transfer-encoding", b"chunked")), 400, "connection-field", id="a coding"
    ),
    pytest.param((*GET, (b"te", b"gzip")), 400, "te", id="TE"),
    pytest.param((*GET, (b"te", b"trailers, chunked")), 400, "te", id="more in TE"),
    pytest.param((*GET, (b"content-length", b"+1")), 400, "content-length", id="a signed length"),
    pytest.param((*GET, (b"content-length", b"1_0")), 400, "content-length", id="an underscore"),
    pytest.param(
        (*GET, (b"content-length", b"1"), (b"content-length", b"1")),
        400,
        "content-length",
        id="two lengths",
    ),
    pytest.param((*GET, (b"content-length", b"1")), 400, "framing", id="a length without content"),
]


@pytest.mark.parametrize(("received", "status", "rule"), REFUSED)
def test_refused(received: Sequence[Field], status: int, rule: str) -> None:
    refusal = read(received)
    assert isinstance(refusal, Refuse)
    assert (refusal.status, refusal.rule) == (status, rule)


LIMITED = [
    pytest.param(replaced(b":path", b"/" + b"a" * (100 - LINE)), 0, id="a line of the limit"),
    pytest.param(replaced(b":path", b"/" + b"a" * (101 - LINE)), 414, id="a longer one"),
    pytest.param((*GET, *[(b"a", b"")] * 5), 0, id="as many fields as allowed"),
    pytest.param((*GET, *[(b"a", b"")] * 6), 431, id="more"),
    pytest.param((*GET, (b"a", b"b" * 195)), 0, id="as long as allowed"),
    pytest.param((*GET, (b"a", b"b" * 196)), 431, id="longer"),
]


@pytest.mark.parametrize(("received", "status"), LIMITED)
def test_limits(received: Sequence[Field], status: int) -> None:
    result = read(received, limits=Limits(request_line=100, head=200, fields=5))
    assert (result.status if isinstance(result, Refuse) else 0) == status


def test_cookies_are_joined_in_the_place_of_the_first() -> None:
    cookies = [(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    head = read((*GET, (b"accept", b"*/*"), *cookies))
    assert isinstance(head, RequestHead)
    assert head.fields[1:] == (
        (b"accept", b"*/*"),
        (b"cookie", b"a=1; b=2; c=3"),
        (b"x", b"y"),
    )


def test_fields_that_repeat_share_a_section() -> None:
    reader = RequestHeadReader(DEFAULT_LIMITS, ARRIVAL)
    first = reader.read([*GET, (b"a", b"b")], ended=True)
    second = reader.read([*replaced(b":path", b"/other"), (b"a", b"b")], ended=True)
    assert isinstance(first, RequestHead)
    assert isinstance(second, RequestHead)
    assert second.section is first.section
    assert second.target == b"/other"
    for changed, ended in [
        ([*GET, (b"a", b"c")], True),
        ([*replaced(b":authority", b"other"), (b"a", b"b")], True),
        ([*GET, (b"a", b"b")], False),
    ]:
        another = RequestHeadReader(DEFAULT_LIMITS, ARRIVAL)
        another.read([*GET, (b"a", b"b")], ended=True)
        head = another.read(changed, ended=ended)
        assert isinstance(head, RequestHead)
        assert head.section.fields != first.section.fields


def test_a_refused_head_is_not_remembered() -> None:
    reader = RequestHeadReader(DEFAULT_LIMITS, ARRIVAL)
    for _ in range(2):
        assert isinstance(reader.read([*GET, (b"X", b"y")], ended=True), Refuse)


def test_priority_of_the_last_head() -> None:
    reader = RequestHeadReader(DEFAULT_LIMITS, ARRIVAL)
    reader.read([*GET, (b"priority", b"u=1, i")], ended=True)
    assert reader.priority == Priority(1, True)
    reader.read(list(GET), ended=True)
    assert reader.priority == Priority()


TRAILERS = [
    pytest.param([(b"x-checksum", b"1")], 0, id="fine"),
    pytest.param([], 0, id="none"),
    pytest.param([(b":path", b"/")], 400, id="a pseudo-field"),
    pytest.param([(b"x", b"a\r\nb")], 400, id="a line end"),
    pytest.param([(b"content-length", b"1")], 400, id="a length"),
    pytest.param([(b"transfer-encoding", b"chunked")], 400, id="a coding"),
    pytest.param([(b"host", b"a")], 400, id="Host"),
    pytest.param([(b"x", b"y")] * (DEFAULT_LIMITS.fields + 1), 431, id="too many"),
    pytest.param([(b"x", b"y" * DEFAULT_LIMITS.head)], 431, id="too long"),
]


@pytest.mark.parametrize(("received", "status"), TRAILERS)
def test_trailers(received: Sequence[Field], status: int) -> None:
    refusal = check_trailers(received, DEFAULT_LIMITS)
    assert (refusal.status if refusal is not None else 0) == status
