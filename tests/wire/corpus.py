"""Reads ``requests/*.http`` and ``responses/*.http``.

A file is one row of the checklist: its number starts the name, prose comes before the
first case. A case::

    === what is special about it
    GET / HTTP/1.1\\r\\n
    Host: lab.example.org\\r\\n
    \\r\\n
    --- expect
    status: 200
    connection: keep
    upstream: once
    --- upstream
    GET / HTTP/1.1\\r\\n
    ...

Raw lines are joined without their line ends, so every CR and LF on the wire is written
out; ``\\xNN``, ``\\0``, ``\\t`` and ``\\\\`` too. ``{a*8000}`` repeats. Expectations:

- ``status``: the statuses of every response in order; ``none`` for not a byte; ``400 or
  501`` when either will do
- ``connection``: ``keep`` (a second exchange works on it), ``close`` (it ends with a FIN
  and the last response says so), ``reset`` (it breaks off),
  ``either`` of the first two
- ``upstream``: ``none`` (not a byte), ``incomplete`` (never a whole request), ``once``,
  ``twice``, ``some`` (whole ones), ``any`` (some or none)
- ``content``: the last response's content, without framing
- ``up-has``, ``up-lacks``, ``down-has``, ``down-lacks``: anywhere, in any case of letters
- ``--- upstream``: exactly these bytes reached Jupyter (chunked content is shown without
  its framing); ``{upstream}`` is its authority, ``{said}`` what labgate says of the client

Responses also know ``method`` and ``version`` of the request, ``then: close`` (Jupyter ends
the connection behind them; ``keep`` is the default) and ``pool: reused`` or ``dropped``
(whether the next client's request takes the same connection).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.wire.messages import Message

HERE = Path(__file__).parent

SAID = (
    "X-Real-IP: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n"
    "X-Forwarded-Host: lab.example.org\r\nVia: 1.1 labgate\r\n"
)

_KEYS = frozenset(
    {"status", "connection", "upstream", "content", "up-has", "up-lacks", "down-has"}
    | {"down-lacks", "method", "version", "then", "pool"}
)
_REPEATED = re.compile(r"\{([^{}]+)\*(\d+)\}")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[rnt0\\])")
_MEANING = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


@dataclass(frozen=True)
class Case:
    """One case; ``expected`` has every value of a key in order."""

    row: int
    name: str
    raw: bytes
    expected: dict[str, list[str]]
    upstream: str | None

    def one(self, key: str, default: str = "") -> str:
        values = self.expected.get(key, [default])
        assert len(values) == 1, f"{self.name}: {key} more than once"
        return values[0]

    def all(self, key: str) -> list[bytes]:
        return [unescaped(value) for value in self.expected.get(key, [])]

    @property
    def statuses(self) -> list[int]:
        text = self.one("status")
        return [] if text == "none" else [int(part) for part in text.split(" or ")[0].split()]

    def answered_by(self, statuses: list[int]) -> bool:
        """Whether these are the statuses of one of the alternatives."""
        texts = self.one("status").split(" or ")
        return statuses in [[] if text == "none" else [*map(int, text.split())] for text in texts]

    @property
    def id(self) -> str:
        return f"{self.row:02} {self.name}"


def load(folder: str) -> list[Case]:
    """Every case of a folder, in the order of the rows."""
    files = sorted((HERE / folder).glob("*.http"))
    cases = [case for file in files for case in _cases(file)]
    assert len({case.id for case in cases}) == len(cases), "two cases have one name"
    return cases


def _cases(file: Path) -> Iterator[Case]:
    row = int(file.name[:2])
    _, *texts = re.split(r"^=== ", file.read_text("utf-8"), flags=re.MULTILINE)
    assert texts, f"{file} has no case"
    for text in texts:
        name, _, body = text.partition("\n")
        raw, *sections = re.split(r"^--- (\w+)\n", body, flags=re.MULTILINE)
        parts = dict(zip(sections[::2], sections[1::2], strict=True))
        expected: dict[str, list[str]] = defaultdict(list)
        for line in parts.pop("expect").splitlines():
            if line.strip():
                key, colon, value = line.partition(":")
                assert colon, f"{file}: {line}"
                assert key in _KEYS, f"{file}: {key}"
                expected[key].append(value.strip())
        assert expected["status"], f"{file}: {name} expects no status"
        upstream = parts.pop("upstream", None)
        assert not parts, f"{file}: {sorted(parts)}"
        yield Case(row, name.strip(), unescaped(raw), dict(expected), upstream)


def unescaped(text: str) -> bytes:
    """The bytes a raw section stands for."""
    joined = "".join(text.splitlines())
    joined = _REPEATED.sub(lambda match: match[1] * int(match[2]), joined)
    return _ESCAPE.sub(_meant, joined).encode("latin-1")


def _meant(match: re.Match[str]) -> str:
    return _MEANING.get(match[1]) or chr(int(match[1][1:], 16))


def filled(section: str, authority: str) -> bytes:
    """An ``--- upstream`` section as bytes."""
    raw = unescaped(section)
    return raw.replace(b"{upstream}", authority.encode()).replace(b"{said}", SAID.encode())


def judge_content(case: Case, received: bytes, answers: Sequence[Message]) -> None:
    """Hold what a client received against ``down-has``, ``down-lacks`` and ``content``."""
    for text in case.all("down-has"):
        assert text.lower() in received.lower()
    for text in case.all("down-lacks"):
        assert text.lower() not in received.lower()
    for content in case.all("content"):
        assert answers[-1].content == content
