"""aiohttp's view of a request head, judged once more by the rules.

aiohttp's parser is lenient in other places than labgate's own, and its form in pure Python in
others again. So what it read is put together as the octets it stands for, and those pass the same
check as on labgate's own front: there is one grammar, and one idea of where the content ends.

Tested by tests/web/front/test_handler.py, and by tests/wire with ``--front aiohttp``.
"""

from __future__ import annotations

from typing import NamedTuple

from aiohttp import web

from proxy.net.limits import Limits
from proxy.rules.decision import Refuse
from proxy.rules.head import NO_FIELDS, Arrival, Field, FieldSection, RequestHead
from proxy.rules.message import NOTHING_FOLLOWS, ConnectionFacts, connection_facts
from proxy.rules.syntax import (
    check_head,
    field_lines,
    malformed,
    read_request_line,
    too_long_target,
)


class ReadHead(NamedTuple):
    """A well-formed head.

    Attributes:
        head: The head.
        facts: What it says of its connection.
    """

    head: RequestHead
    facts: ConnectionFacts


class HeadReader:
    """Reads the heads of one connection; fields that repeat are judged once."""

    __slots__ = ("_facts", "_facts_of", "_fields", "_limits", "_section")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fields: tuple[Field, ...] = ()
        self._section = NO_FIELDS
        self._facts_of: object = None
        self._facts = NOTHING_FOLLOWS

    def read(self, request: web.BaseRequest, arrival: Arrival) -> ReadHead | Refuse:
        """The head of a request, or what is wrong with it."""
        # ``raw_path`` is the request target as it came, and not as yarl would write it.
        target = request.raw_path.encode("utf-8", "surrogateescape")
        line = b"%b %b HTTP/%d.%d" % (request.method.encode("ascii"), target, *request.version)
        if len(line) > self._limits.request_line:
            return too_long_target()
        read = read_request_line(line)
        if isinstance(read, Refuse):
            return read
        if request.raw_headers != self._fields:
            refusal = self._judge(line, request.raw_headers)
            if refusal is not None:
                return refusal
        section = self._section
        # Of CONNECT aiohttp makes a stream without end.
        if read.method != b"CONNECT" and request.body_exists != section.framing.has_content:
            return malformed("It is not clear where this request ends.", "framing")
        head = RequestHead(read.method, read.target, read.version, section.fields, arrival, section)
        facts_of = (section, read.method, read.version)
        if self._facts_of != facts_of:
            self._facts_of, self._facts = facts_of, connection_facts(head)
        return ReadHead(head, self._facts)

    def _judge(self, line: bytes, fields: tuple[Field, ...]) -> Refuse | None:
        limits = self._limits
        lines = b"".join([b"\r\n%b: %b" % field for field in fields]) + b"\r\n\r\n"
        refusal = check_head(line + lines, limits.request_line, limits.head, limits.fields)
        if refusal is None:
            self._fields, self._section = fields, FieldSection(field_lines(lines))
        return refusal
