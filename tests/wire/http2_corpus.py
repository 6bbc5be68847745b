"""Reads ``http2/*.frames``: what a client sends in HTTP/2, and what becomes of it.

A file is about one subject: prose comes before the first case. A case::

    === what is special about it
    HEADERS 1
    POST
    content-length: 4
    DATA 1 end
    body
    --- expect
    1: 200
    upstream: once

The preface and empty SETTINGS are sent before the first frame. Frames:

- ``HEADERS stream [end] [open]`` and ``CONTINUATION stream [open]``: a line for each field, written
  as a literal that no table keeps. ``end`` is END_STREAM; ``open`` leaves END_HEADERS out.
  ``GET`` and ``POST`` stand for the four pseudo-fields of ``https://lab.example.org/``, ``index:``
  before a field has it kept in the table, ``hex:`` stands for octets of the block
- ``DATA stream [end] [padded N]``: the line is the content
- ``FRAME type flags stream``: all in hexadecimal, the line too
- ``SETTINGS id=value …``, ``WINDOW_UPDATE stream increment``, ``RST_STREAM stream CODE``, ``PING``
- ``BYTES``: the line is what is sent, instead of the preface and everything else

``xN`` at the end of a line repeats it. Escapes are those of ``requests/*.http``. Expectations:

- ``STREAM``: the final status of that stream, ``400 or 421``, or ``reset CODE``; nothing is said
  of streams that are not named
- ``connection``: ``keep`` (the default: another request works on it), ``goaway CODE``, ``end``
  (without a word), ``any`` where it depends on what arrived together
- ``upstream``, ``up-has``, ``up-lacks`` and ``--- upstream``: as in ``requests/*.http``
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.http2 import frames
from tests.http2.frames import ERRORS, GET
from tests.wire.corpus import unescaped

MAX_FRAME_BYTES = 16_384
HERE = Path(__file__).parent / "http2"
POST = ((b":method", b"POST"), *GET[1:])
_TIMES = re.compile(r"(.*) x(\d+)")
_KEYS = re.compile(r"\d+|connection|upstream|up-has|up-lacks")


@dataclass(frozen=True)
class FramesCase:
    """One case; ``expected`` has every value of a key in order."""

    file: str
    name: str
    sent: bytes
    expected: dict[str, list[str]]
    upstream: str | None

    @property
    def id(self) -> str:
        return f"{self.file[:2]} {self.name}"

    def one(self, key: str, default: str) -> str:
        (value,) = self.expected.get(key, [default])
        return value

    @property
    def streams(self) -> dict[int, str]:
        """What is expected of which stream."""
        return {int(key): value[0] for key, value in self.expected.items() if key.isdigit()}


def load() -> list[FramesCase]:
    """Every case."""
    cases = [case for file in sorted(HERE.glob("*.frames")) for case in _cases(file)]
    assert len({case.id for case in cases}) == len(cases), "two cases have one name"
    return cases


def _cases(file: Path) -> Iterator[FramesCase]:
    _, *texts = re.split(r"^=== ", file.read_text("utf-8"), flags=re.MULTILINE)
    for text in texts:
        name, _, body = text.partition("\n")
        raw, *sections = re.split(r"^--- (\w+)\n", body, flags=re.MULTILINE)
        parts = dict(zip(sections[::2], sections[1::2], strict=True))
        expected: dict[str, list[str]] = defaultdict(list)
        for line in parts.pop("expect").splitlines():
            if line.strip():
                key, _, value = line.partition(": ")
                assert _KEYS.fullmatch(key), f"{file}: {line}"
                expected[key].append(value.strip())
        upstream = parts.pop("upstream", None)
        assert not parts, f"{file}: {sorted(parts)}"
        yield FramesCase(file.name, name.strip(), _sent(raw), dict(expected), upstream)


def _sent(text: str) -> bytes:
    sent = frames.PREFACE + frames.settings()
    lines = text.strip("\n").split("\n")
    while lines:
        kind, *words = lines.pop(0).split()
        count = _repetitions(words)
        content: list[str] = []
        while lines and not re.match(r"[A-Z_]{4,}( |$)", lines[0].replace("POST", "").strip()):
            content.append(lines.pop(0))
        if kind == "BYTES":
            return unescaped("".join(content))
        sent += _frame(kind, words, content) * count
    return sent


def _repetitions(words: list[str]) -> int:
    if words and re.fullmatch(r"x\d+", words[-1]):
        return int(words.pop()[1:])
    return 1


def _frame(kind: str, words: list[str], content: list[str]) -> bytes:
    """One frame of the given type, options and lines."""
    match kind:
        case "HEADERS" | "CONTINUATION":
            flags = 0 if "open" in words else frames.END_HEADERS
            flags |= frames.END_STREAM if "end" in words else 0
            number = frames.HEADERS if kind == "HEADERS" else frames.CONTINUATION
            return _block_frames(number, flags, int(words[0]), b"".join(map(_fields, content)))
        case "DATA":
            payload = unescaped("".join(content))
            flags = frames.END_STREAM if "end" in words else 0
            if "padded" in words:
                flags |= frames.PADDED
                padding = int(words[-1])
                payload = bytes([padding]) + payload + bytes(padding)
            return frames.frame(frames.DATA, flags, int(words[0]), payload)
        case "FRAME":
            number, flags, stream = (int(word, 16) for word in words)
            return frames.frame(number, flags, stream, b"".join(map(_octets, content)))
        case "SETTINGS":
            pairs = (word.split("=") for word in words)
            return frames.settings(*[(int(key), int(value)) for key, value in pairs])
        case "WINDOW_UPDATE":
            return frames.window_update(int(words[0]), int(words[1]))
        case "RST_STREAM":
            assert words[1] in ERRORS
            return frames.rst_stream(int(words[0]), words[1])
        case "PING":
            return frames.ping()
    raise AssertionError(f"unknown frame {kind}")


def _block_frames(number: int, flags: int, stream: int, block: bytes) -> bytes:
    """A block that is too long for one frame goes on in others."""
    if len(block) <= MAX_FRAME_BYTES:
        return frames.frame(number, flags, stream, block)
    first, rest = block[:MAX_FRAME_BYTES], block[MAX_FRAME_BYTES:]
    begun = frames.frame(number, flags & ~frames.END_HEADERS, stream, first)
    end = flags & frames.END_HEADERS
    return begun + _block_frames(frames.CONTINUATION, end, stream, rest)


def _fields(line: str) -> bytes:
    """A line of a header block."""
    line, count = _repeated(line)
    if line == "GET":
        return frames.block(GET) * count
    if line == "POST":
        return frames.block(POST) * count
    if line.startswith("hex: "):
        return bytes.fromhex(line.removeprefix("hex: ")) * count
    first = 0x40 if line.startswith("index: ") else 0
    name, _, value = line.removeprefix("index: ").partition(": ")
    return frames.literal(unescaped(name), unescaped(value), first) * count


def _octets(line: str) -> bytes:
    line, count = _repeated(line)
    return bytes.fromhex(line) * count


def _repeated(line: str) -> tuple[str, int]:
    match = _TIMES.fullmatch(line)
    return (match[1], int(match[2])) if match is not None else (line, 1)
