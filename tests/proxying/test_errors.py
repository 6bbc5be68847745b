"""Every error of labgate's own: a page for people, JSON or a sentence for programs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.session import Sessions
from proxy.net.limits import Limits
from proxy.rules.head import RequestHead
from proxy.rules.networks import Networks
from proxy.rules.site import WebOrigin, make_site
from tests.edges import PUBLIC, Edge, edge, enforcing_timeouts
from tests.passwords import write_htpasswd
from tests.upstreams import Visit, says, upstream

NAVIGATION = (
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
)
PROGRAM = b"Accept: */*\r\n"
JSON = b"Accept: application/json\r\n"
SCRIPT = b"Accept: */*\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"

SECRET = re.compile(
    rb"labgate|example\.org|python|aiohttp|uvloop|127\.0\.0\.1|\d\.\d+\.\d", re.IGNORECASE
)
"""What a stranger must not learn."""


class Faulty:
    """Access control with a fault of ours."""

    def at_once(self, _: RequestHead) -> None:
        raise RuntimeError("a fault of ours")


def faulty(_: Path) -> AccessControl:
    return cast(AccessControl, Faulty())


def guarded(folder: Path) -> AccessControl:
    file = write_htpasswd(folder)
    return AccessControl(Lockout(10, 900.0), Htpasswd(file), Sessions(b"k" * 32))


def shut(_: Path) -> AccessControl:
    lockout = Lockout(1, 1e9)
    lockout.failed("127.0.0.1", "ada", 1, 0.0)
    return AccessControl(lockout)


async def silent(visit: Visit) -> None:
    await visit.head()
    await visit.reader.read()


@dataclass
class Case:
    """A way to an error: the labgate, the request, and what must be said."""

    status: int
    reason: str
    heading: str
    says: str
    method: bytes = b"GET"
    target: bytes = b"/lab"
    fields: bytes = b""
    content: bytes = b""
    host: bytes = b"lab.example.org"
    access_control: Callable[[Path], AccessControl] | None = None
    jupyter: Callable[[Visit], Any] | None = None
    edge: dict[str, Any] = field(default_factory=dict)
    for_people: bytes = NAVIGATION


FEW = Networks([ip_network("192.0.2.0/24")])
FORM = b"Content-Length: 1\r\n"
CASES = [
    Case(400, "host", "not understood", "not a host and a port", host=b"a@b"),
    Case(401, "basic-auth", "login is needed", "ask whoever runs", access_control=guarded),
    Case(
        403,
        "origin",
        "opened from another site",
        "address bar",
        method=b"POST",
        fields=b"Content-Length: 0\r\nOrigin: https://evil.example\r\n",
    ),
    Case(
        403,
        "fetch-site",
        "opened from another site",
        "open it directly",
        target=b"/files/x.html",
        fields=b"Sec-Fetch-Site: cross-site\r\n",
    ),
    Case(
        403,
        "allow-list",
        "from your network",
        "to let your address in",
        edge={"site": make_site((PUBLIC,), WebOrigin("http", "127.0.0.1", 8888), allow=FEW)},
    ),
    Case(
        404,
        "challenge",
        "nothing here",
        "typing mistake",
        target=b"/.well-known/acme-challenge/abc",
    ),
    Case(
        408,
        "content",
        "took too long",
        "Check your connection",
        method=b"POST",
        fields=b"Content-Length: 9\r\n",
        jupyter=silent,
        edge={"limits": Limits(content_grace_seconds=0.01)},
    ),
    Case(421, "host", "under another name", "the address you were given", host=b"other.example"),
    Case(
        429,
        "lockout",
        "Please wait",
        "try again in",
        method=b"POST",
        target=b"/login",
        fields=FORM,
        content=b"x",
        access_control=shut,
    ),
    Case(500, "fault", "wrong on this server", "Load this page again", access_control=faulty),
    Case(502, "upstream", "no usable answer", "understood", jupyter=says(b"SSH-2.0\r\n\r\n")),
    Case(503, "limit", "Too much at once", "Wait a moment", edge={"limits": Limits(requests=0)}),
    Case(
        503,
        "upstream",
        "may not have arrived",
        "send it again",
        method=b"POST",
        fields=FORM,
        content=b"x",
    ),
    Case(
        504,
        "upstream",
        "takes too long",
        "in time",
        jupyter=silent,
        edge={"response_seconds": 0.01},
    ),
]

every = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.reason}")


@asynccontextmanager
async def labgate_of(case: Case, folder: Path) -> AsyncIterator[Edge]:
    async with AsyncExitStack() as stack:
        address = None
        if case.jupyter is not None:
            address = (await stack.enter_async_context(upstream(case.jupyter))).address
        labgate = await stack.enter_async_context(edge(address, **case.edge))
        if case.access_control is not None:
            labgate.router.protect(case.access_control(folder))
        await stack.enter_async_context(enforcing_timeouts(labgate))
        yield labgate


async def answer_to(case: Case, folder: Path, accept: bytes, method: bytes = b"") -> Answer:
    head = b"%b %b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n%b%b\r\n" % (
        method or case.method,
        case.target,
        case.host,
        accept,
        case.fields,
    )
    async with labgate_of(case, folder) as labgate:
        return Answer(await labgate.ask(head + case.content))


class Answer:
    """A whole answer, whose length must be right unless it is to HEAD."""

    def __init__(self, octets: bytes) -> None:
        head, _, self.content = octets.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        self.status = int(line.split()[1])
        self.fields = dict(entry.split(": ", 1) for entry in fields)

    @property
    def text(self) -> str:
        return self.content.decode()


@every
async def test_a_person_gets_a_page(case: Case, tmp_path: Path) -> None:
    answer = await answer_to(case, tmp_path, NAVIGATION)
    assert answer.status == case.status
    assert answer.fields["Content-Type"] == "text/html; charset=utf-8"
    assert int(answer.fields["Content-Length"]) == len(answer.content)
    assert answer.fields["Cache-Control"] == "no-store"
    assert answer.fields["X-Content-Type-Options"] == "nosniff"
    policy = answer.fields["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "form-action 'none'", "frame-ancestors 'self'"} <= set(policy)
    assert not [part for part in policy if part.startswith("script-src")]
    text = unescape(answer.text)
    heading = re.search("<h1>(.*)</h1>", text)
    assert heading is not None
    assert case.heading in heading[1]
    assert f"<title>{heading[1]}</title>" in text
    assert case.says in text
    assert f"{case.status} " in text, "what to tell whoever is asked for help"
    assert SECRET.findall(re.sub(rb"<style>.*</style>", b"", answer.content, flags=re.DOTALL)) == []


@every
async def test_a_program_gets_a_sentence(case: Case, tmp_path: Path) -> None:
    answer = await answer_to(case, tmp_path, PROGRAM)
    assert answer.status == case.status
    assert answer.fields["Content-Type"] == "text/plain; charset=utf-8"
    assert int(answer.fields["Content-Length"]) == len(answer.content)
    assert re.fullmatch(r"[A-Z][^\n]+\.\n", answer.text)
    assert not answer.text.isupper()
    assert "Content-Security-Policy" not in answer.fields
    assert SECRET.findall(answer.content) == []


@every
@pytest.mark.parametrize("accept", [JSON, SCRIPT], ids=["by Accept", "a page's script"])
async def test_who_asks_for_json_gets_json(case: Case, accept: bytes, tmp_path: Path) -> None:
    answer = await answer_to(case, tmp_path, accept)
    sent = await answer_to(case, tmp_path, PROGRAM)
    assert answer.status == case.status
    assert answer.fields["Content-Type"] == "application/json"
    assert int(answer.fields["Content-Length"]) == len(answer.content)
    message = json.loads(answer.content)
    assert message.keys() == {"message", "reason", "request_id"}, "Lab shows the message"
    assert message["reason"] == case.reason
    if case.status != 429:  # whose sentence tells the time
        assert message["message"] == sent.text.rstrip("\n")


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.method == b"GET"],
    ids=lambda case: f"{case.status} {case.reason}",
)
async def test_to_head_there_is_no_content(case: Case, tmp_path: Path) -> None:
    for accept in (NAVIGATION, JSON, PROGRAM):
        answer = await answer_to(case, tmp_path, accept, b"HEAD")
        assert (answer.status, answer.content) == (case.status, b"")
        assert int(answer.fields["Content-Length"]) > 0


async def test_how_long_to_wait_stands_in_a_field_and_on_the_page(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.status == 429)
    answer = await answer_to(case, tmp_path, NAVIGATION)
    minutes = -(-int(answer.fields["Retry-After"]) // 60)
    assert f"try again in {minutes} minutes" in answer.text


async def test_the_browser_is_still_asked_for_a_password(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.status == 401)
    for accept in (NAVIGATION, JSON, PROGRAM):
        answer = await answer_to(case, tmp_path, accept)
        assert answer.fields["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(("host", "status"), [(b"other.example", 421), (b"lab.example.org", 503)])
async def test_a_connection_goes_on_behind_a_page(host: bytes, status: int) -> None:
    head = b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n" + NAVIGATION
    async with edge(None) as labgate:
        answers = await labgate.ask(head + b"\r\n" + head + b"Connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 %d " % status) == 2
    assert answers.count(b"</html>") == 2
    assert answers.count(b"\r\nConnection: close\r\n") == 1


async def test_jupyters_own_errors_are_relayed_as_they_are() -> None:
    own = b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\nJupyter!"
    async with upstream(says(own)) as jupyter, edge(jupyter.address) as labgate:
        head = b"GET /x HTTP/1.1\r\nHost: lab.example.org\r\nConnection: close\r\n"
        answer = await labgate.ask(head + NAVIGATION + b"\r\n")
    assert answer.endswith(b"\r\n\r\nJupyter!")


async def test_who_only_looks_while_jupyter_is_away_gets_the_page_that_reloads() -> None:
    head = b" /lab HTTP/1.1\r\nHost: lab.example.org\r\nConnection: close\r\n" + NAVIGATION
    async with edge(None) as labgate:
        page = Answer(await labgate.ask(b"GET" + head + b"\r\n"))
        nothing = Answer(await labgate.ask(b"HEAD" + head + b"\r\n"))
    assert (page.status, page.fields["Retry-After"]) == (503, "2")
    assert "location.reload" in page.text
    assert int(page.fields["Content-Length"]) == len(page.content)
    assert nothing.content == b""
    assert nothing.fields["Content-Length"] == page.fields["Content-Length"]
