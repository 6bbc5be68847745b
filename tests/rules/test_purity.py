"""The rules decide and never wait: no I/O, nothing that could do any, and no change of what
they are given."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import proxy.rules
from proxy.rules.client import with_client_address
from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Tunnel
from proxy.rules.head import RequestHead, ResponseHead
from proxy.rules.request import upstream_fields
from proxy.rules.response import downstream_fields
from proxy.rules.response_faults import response_fault, switches_to_websocket
from proxy.rules.site import Site, make_site
from tests.heads import HOST, JUPYTER, LAB, LOCAL, SITE, answered, get
from tests.rules import test_client, test_decide, test_request, test_response, test_target

ALLOWED = {
    "__future__",
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "ipaddress",
    "re",
    "types",
    "typing",
    "urllib",
}
FILES = sorted(Path(next(iter(proxy.rules.__path__))).glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_rules_import_nothing_that_waits(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
            assert node.module != "urllib" and node.module != "urllib.request"  # noqa: PT018
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1, f"{file.name} reaches outside rules/"
        assert {name.split(".")[0] for name in names} <= ALLOWED
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval", "__import__"}


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 5


def column(rows: Iterable[Any]) -> list[Any]:
    """The first value of every row of a table."""
    return [row.values[0] for row in rows]


HEADS: list[RequestHead] = [
    *column((*test_decide.PASSES, *test_decide.REFUSED, *test_client.DECISIONS)),
    *column((*test_target.KEPT, *test_target.REFUSED)),
    *(get(HOST, target=target) for target, _, _ in test_target.ABSOLUTE),
    *(get(HOST, *lines) for lines in column(test_request.CASES)),
    get(HOST, test_decide.OWN, *test_decide.UPGRADE),
    get(HOST, b"Via: 1.0 a", b"via: 1.1 b"),
    get(HOST, b"X-Forwarded-For: 192.0.2.1"),
    get(HOST, b"Authorization: Basic YTpi", b"Cookie: __Host-labgate=x; a=b", b"cookie: c=d"),
]
ANSWERS: list[ResponseHead] = [
    *(answered(b"Location: " + value, status=302) for value, _ in test_response.LOCATIONS),
    *(answered(b"Set-Cookie: " + value) for value, _ in test_response.COOKIES),
    answered(*test_response.UPSTREAM_CORS, b"Vary: Origin", b"Date: today"),
    answered(b"Connection: X-Mine", b"X-Mine: 1", b"Keep-Alive: x", b"Content-Length: 0"),
    answered(b"Upgrade: websocket", b"Connection: Upgrade", status=101),
]
SITES = [
    SITE,
    replace(SITE, requires_login=True, preserve=True, hsts_seconds=1, base_path="/lab/"),
    replace(SITE, canonical_redirect=True, challenges=True, websocket_without_origin=True),
    make_site((LOCAL, LAB), JUPYTER, trusted_proxies=test_client.networks("203.0.113.7")),
    test_client.CLOSED,
]


def every_rule_for_requests(head: RequestHead, site: Site) -> list[object]:
    """What each of them says of the request."""
    said: list[object] = [with_client_address(head, site.trusted_proxies), decide(head, site)]
    if isinstance(decided := said[-1], Forward | Tunnel):
        websocket = isinstance(decided, Tunnel)
        up = decided.head
        said += [
            upstream_fields(up, site, websocket=websocket),
            upstream_fields(up, site, websocket=websocket, changes=[]),
        ]
    return said


def every_rule_for_answers(head: ResponseHead, site: Site) -> list[object]:
    """What each of them says of the answer."""
    websocket = switches_to_websocket(head)
    return [
        response_fault(head, "1.1"),
        downstream_fields(head, site, LAB, websocket=websocket),
        downstream_fields(head, site, LAB, websocket=websocket, changes=[]),
    ]


def contents(head: RequestHead | ResponseHead) -> tuple[object, ...]:
    """A copy of all that a head says, down to its section, and of nothing that it shares."""
    said = {name.name: getattr(head, name.name) for name in dataclasses.fields(head)}
    section = said.pop("section", None)
    index = dict(section.index) if section is not None else {}
    assert section is None or section.fields is said["fields"]
    return tuple(deepcopy([*said.items(), *index.items()]))


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_a_request_is_left_as_it_is(head: RequestHead) -> None:
    """A site needs no look: it is frozen, and so is all that it holds."""
    given = contents(head)
    for site in SITES:
        said = every_rule_for_requests(head, site)
        assert contents(head) == given
        assert every_rule_for_requests(head, site) == said, "the same again"


@pytest.mark.parametrize("head", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_is_left_as_it_is(head: ResponseHead) -> None:
    given = contents(head)
    for site in SITES:
        said = every_rule_for_answers(head, site)
        assert contents(head) == given
        assert every_rule_for_answers(head, site) == said, "the same again"


def test_a_change_would_be_noticed() -> None:
    """Of what a head says, only what was forced upon it can change."""
    request, answer = get(HOST, b"Cookie: a=b"), answered(b"Location: /")
    before = contents(request), contents(answer)
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.target = b"/x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        request.section.index[b"cookie"] = ()  # type: ignore[index]
    assert (contents(request), contents(answer)) == before
    object.__setattr__(request.section, "index", {b"cookie": (b"c=d",)})
    object.__setattr__(answer, "names", ())
    assert contents(request) != before[0]
    assert contents(answer) != before[1]
