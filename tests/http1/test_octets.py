"""Nothing outside ``proxy/http1`` writes or reads octets of HTTP/1.1, but what is named here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import proxy

ROOT = Path(next(iter(proxy.__path__)))

EXCEPTIONS = {
    "admin/replay.py": "shows the first lines of a request and a response to people",
    "cache/preloads.py": "reckons how many octets a Link field takes",
    "cli/ask_secret.py": "a terminal ends a line so",
    "cli/doctor.py": "a terminal ends a line so",
    "cli/upstream_fault.py": "asks what may be no HTTP at all; a client would say less",
    "doctor/http2.py": "the preface of HTTP/2 looks like a request on purpose",
    "doctor/probes/bodies.py": "sends what no library sends, to somebody else's proxy",
    "doctor/probes/entry.py": "sends what no library sends, to somebody else's proxy",
    "doctor/raw.py": "reads what somebody else's proxy answers",
    "http2/frame_reader.py": "the preface of HTTP/2 looks like a request on purpose",
    "http2/request_head.py": "measures a head by the octets that it would have in HTTP/1.1",
    "inspector/captured_heads.py": "shows a request line to people",
    "inspector/captured_text.py": "shows a status line to people",
    "inspector/counted_tunnel.py": "shows a request line to people",
    "inspector/har.py": "an archive names the version",
    "inspector/rows.py": "shows text with any line ends to people",
    "jupyter/readiness.py": "asks a Jupyter that starts; to import a client takes longer",
    "net/port_holder.py": "asks who holds a port, below HTTP",
    "observe/health.py": "writes a line of the PROXY protocol",
    "rules/caching.py": "measures a response's head by the octets that it has in HTTP/1.1",
    "rules/proxy_protocol.py": "reads a line of the PROXY protocol",
    "rules/syntax.py": "is the grammar of a head, which http1.request_parser asks for",
    "web/front/head_reader.py": "has the grammar check a head that aiohttp has parsed",
}
"""Files outside that have to do with such octets, or with text that looks so, and why."""

HAVE_FIELDS_WRITTEN = {
    "cache/anonymous_fetch.py": "for a request of its own",
    "proxying/decision_cache.py": "and keeps them: most requests of a client have the same ones, "
    "and to write them again for each would cost more than all else that is done with its head",
}
"""Who has ``http1.request_writer.serialize_fields`` write field lines, and hands them to an
``http1.client_connection``, which writes the head around them."""

START_LINE = re.compile(r"^HTTP/1\.\d(?: $| [\d%])|HTTP/1\.\d?$")


def octets_in(tree: ast.AST) -> Iterator[str]:
    """The line ends and start lines in a file."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            value = node.value
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if isinstance(text, str) and ("\r\n" in text or START_LINE.search(text)):
                yield text


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    """Every file outside ``proxy/http1``."""
    return {
        str(file.relative_to(ROOT)): ast.parse(file.read_text("utf-8"))
        for file in ROOT.rglob("*.py")
        if file.parent.name != "http1"
    }


def test_nothing_else_has_to_do_with_octets_of_http1(trees: dict[str, ast.Module]) -> None:
    found = {file: [*octets_in(tree)] for file, tree in trees.items()}
    there = {file: octets for file, octets in found.items() if octets}
    assert {file: octets for file, octets in there.items() if file not in EXCEPTIONS} == {}
    assert EXCEPTIONS.keys() - there.keys() == set(), "these need no exception any more"


def test_nothing_of_a_request_is_written_for_others_but_its_fields(
    trees: dict[str, ast.Module],
) -> None:
    taken = {
        (file, name.name)
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "proxy.http1.request_writer"
        for name in node.names
    }
    assert taken == {(file, "serialize_fields") for file in HAVE_FIELDS_WRITTEN}


OCTETS = [
    ('head = b"GET / HTTP/1.1"', True),
    ('head = f"{method} {target} HTTP/1.1"', True),
    ('head = b"%b %b HTTP/1.1" % line', True),
    ('status = int(answer.removeprefix(b"HTTP/1.1 ")[:3])', True),
    ('lines = head.split(b"\\r\\n")', True),
    ('"""Of a module: HTTP/1.1"""', False),
    ('sentence = "This server speaks HTTP/1.1 and HTTP/1.0."', False),
]


@pytest.mark.parametrize(("line", "found"), OCTETS)
def test_octets_are_found(line: str, found: bool) -> None:
    assert bool([*octets_in(ast.parse(line))]) is found
