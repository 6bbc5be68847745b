"""A strict reading of one answer, that shares nothing with labgate's parser (RFC 9112).

Where the RFC lets a recipient be lenient this one is not, except where being so changes
nothing: chunk extensions and trailers may say what they like, and there may be empty lines
between an interim answer and the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [\t -~\x80-\xff]*)?")
_FIELD = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]+)(?:;[^\r\n]*)?")


@dataclass(frozen=True)
class StrictResponse:
    """One whole answer; ``rest`` is what follows it, ``close`` that nothing may."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    content: bytes
    rest: bytes
    close: bool


def read(data: bytes, method: bytes) -> StrictResponse | None:
    """The answer in ``data``, which ends with the connection; None for none, or half of one."""
    while True:
        head = _head(data)
        if head is None:
            return None
        version, status, fields, data = head
        if status >= 200:
            break
        if status == 101 or version == 0 or _closes(version, fields):
            return None
        data = data.lstrip(b"\r\n")
    lengths = [value for name, value in fields if name.lower() == b"content-length"]
    codings = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    if len(lengths) > 1 or any(not _LENGTH.fullmatch(length) for length in lengths):
        return None
    if codings and (lengths or codings != [b"chunked"] or version == 0):
        return None
    closes = _closes(version, fields)
    if method == b"HEAD" or status in (204, 304):
        return StrictResponse(status, fields, b"", data, closes)
    if codings:
        return _chunked(status, fields, data, closes)
    if lengths:
        length = int(lengths[0])
        if len(data) < length:
            return None
        return StrictResponse(status, fields, data[:length], data[length:], closes)
    return StrictResponse(status, fields, data, b"", True)


def _head(data: bytes) -> tuple[int, int, tuple[tuple[bytes, bytes], ...], bytes] | None:
    text, ending, rest = data.partition(b"\r\n\r\n")
    first, *lines = text.split(b"\r\n")
    line = _STATUS_LINE.fullmatch(first)
    if not ending or line is None:
        return None
    fields = []
    for text in lines:
        field = _FIELD.fullmatch(text)
        if field is None:
            return None
        fields.append((field[1], field[2].rstrip(b" \t")))
    return int(line[1]), int(line[2]), tuple(fields), rest


def _closes(version: int, fields: tuple[tuple[bytes, bytes], ...]) -> bool:
    said = [value for name, value in fields if name.lower() == b"connection"]
    options = {option.strip().lower() for value in said for option in value.split(b",")}
    return b"close" in options or (version == 0 and b"keep-alive" not in options)


def _chunked(
    status: int, fields: tuple[tuple[bytes, bytes], ...], data: bytes, closes: bool
) -> StrictResponse | None:
    content = b""
    while True:
        line, ending, data = data.partition(b"\r\n")
        chunk = _CHUNK.fullmatch(line)
        if not ending or chunk is None:
            return None
        size = int(chunk[1], 16)
        if size == 0:
            break
        if data[size : size + 2] != b"\r\n":
            return None
        content += data[:size]
        data = data[size + 2 :]
    while True:
        line, ending, data = data.partition(b"\r\n")
        if not ending:
            return None
        if not line:
            return StrictResponse(status, fields, content, data, closes)
        if not _FIELD.fullmatch(line):
            return None
