"""A strict reader of HTTP/1.1, for judging what either side of labgate wrote.

It shares nothing with labgate's own parsers. It knows one spelling of everything, the one
RFC 9112 asks of a sender: whatever else labgate wrote is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_REQUEST_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~\x80-\xff]+ HTTP/1\.1")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9]) [\t -~\x80-\xff]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")


class Malformed(AssertionError):  # noqa: N818  reads as what it is
    """Bytes no sender may write."""


@dataclass(frozen=True)
class Message:
    """One message; ``complete`` is False when the bytes ended in the middle of it."""

    head: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    content: bytes
    complete: bool
    status: int = 0

    @property
    def ends(self) -> bool:
        """Whether it says that its connection ends behind it."""
        return self.values(b"connection") == [b"close"] or self.head.startswith(b"HTTP/1.0 ")

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name]


def requests(data: bytes) -> tuple[list[Message], bytes]:
    """Every request in ``data``, and the bytes of a head that is not complete."""
    found: list[Message] = []
    while b"\r\n\r\n" in data:
        head, fields, rest = _head(data, _REQUEST_LINE)
        content, complete, data = _content(fields, rest, until_end=False, ended=False)
        found.append(Message(head, fields, content, complete))
        if not complete:
            break
    return found, data


def responses(data: bytes, methods: Sequence[bytes], *, ended: bool) -> tuple[list[Message], bytes]:
    """Every response in ``data`` to requests with these methods, and what is left over.

    ``ended`` says that no more bytes come, and that the connection ended cleanly.
    """
    found: list[Message] = []
    waiting = list(methods)
    while b"\r\n\r\n" in data:
        head, fields, rest = _head(data, _STATUS_LINE)
        status = int(head[9:12])
        lengths = [name for name, _ in fields if name.lower() == b"content-length"]
        if status < 200:
            if lengths:
                raise Malformed(f"Content-Length in a {status}")
            found.append(Message(head, fields, b"", True, status))
            data = rest
            if status == 101:
                break
            continue
        if not waiting:
            raise Malformed(f"a response nobody asked for: {data!r}")
        method = waiting.pop(0)
        if status == 204 and lengths:
            raise Malformed("Content-Length in a 204")
        if method == b"HEAD" or status in (204, 304):
            found.append(Message(head, fields, b"", True, status))
            data = rest
            continue
        content, complete, data = _content(fields, rest, until_end=True, ended=ended)
        found.append(Message(head, fields, content, complete, status))
        if not complete:
            break
    return found, data


def _head(
    data: bytes, start: re.Pattern[bytes]
) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes]:
    text, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = text.split(b"\r\n")
    if not start.fullmatch(first):
        raise Malformed(f"not a start line: {first!r}")
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed(f"not a field line: {line!r}")
        fields.append((match[1], match[2]))
    return text + b"\r\n\r\n", tuple(fields), rest


def _content(
    fields: tuple[tuple[bytes, bytes], ...], data: bytes, *, until_end: bool, ended: bool
) -> tuple[bytes, bool, bytes]:
    """Content, whether it is complete, and what follows it."""
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value for name, value in fields if name.lower() == b"transfer-encoding"]
    if codings:
        if codings != [b"chunked"] or lengths:
            raise Malformed(f"framed twice or unknown: {codings} {lengths}")
        return _chunks(data)
    if lengths:
        if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
            raise Malformed(f"not one length: {lengths}")
        length = int(lengths[0])
        return data[:length], len(data) >= length, data[length:]
    if until_end:
        return data, ended, b""
    return b"", True, data


def _chunks(data: bytes) -> tuple[bytes, bool, bytes]:
    content = b""
    while True:
        line, ending, rest = data.partition(b"\r\n")
        if not ending:
            return content, False, b""
        if not _CHUNK_SIZE.fullmatch(line):
            raise Malformed(f"not a chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            trailers, ending, left = rest.partition(b"\r\n")
            if trailers:
                raise Malformed(f"trailers: {rest!r}")
            return content, bool(ending), left
        content += rest[:size]
        if len(rest) < size + 2:
            return content, False, b""
        if rest[size : size + 2] != b"\r\n":
            raise Malformed(f"chunk data does not end in CRLF: {rest[size : size + 2]!r}")
        data = rest[size + 2 :]
