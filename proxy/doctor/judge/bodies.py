"""Uploads, downloads, buffers and compression.

Tested by tests/doctor/test_judge_transfers.py and tests/doctor/test_hostile.py.
"""

from __future__ import annotations

import zlib

from proxy.doctor.answer import Answer
from proxy.doctor.finding import Finding

from .entry import from_jupyter
from .login import judge_refusal


def judge_upload(answer: Answer, *, saved: bool) -> Finding | None:
    """Judge a large PUT.

    Args:
        answer: The answer to it.
        saved: Whether Jupyter could save it. Where it cannot, it says so once it has all of it.
    """
    if answer.ok or (not saved and from_jupyter(answer) and answer.status != 413):
        return None
    if from_jupyter(answer) and answer.status != 413:
        return judge_refusal(answer)
    return Finding("body-limit", "Content-Length", answer.sent, answer.received)


def judge_download(answer: Answer, size_bytes: int) -> Finding | None:
    """Judge ``GET /files/…`` with the Referer of Jupyter's own page."""
    if answer.ok and answer.size_bytes == size_bytes:
        return None
    if answer.status == 403 and from_jupyter(answer):
        return Finding("referer-refused", "Referer", answer.sent, answer.received)
    if answer.status == 200:
        received = f"{answer.received}; {answer.size_bytes:,} of {size_bytes:,} bytes came"
        return Finding("download-cut", "Content-Length", answer.sent, received)
    return judge_refusal(answer)


def judge_upload_head(answer: Answer, waited_seconds: float) -> Finding | None:
    """Judge the head of an upload that is longer than Jupyter takes, sent without its content.

    tornado answers 400 as soon as it has the head. If nobody answers, the head has not reached
    it: the proxy waits for the content.
    """
    if answer.status or not answer.failure.startswith("no answer"):
        return None
    received = f"no answer within {waited_seconds:g} s, although Jupyter refuses it by its head"
    return Finding("buffered", "the request's content", answer.sent, received)


def judge_unread_download(sent: str, finished: bool) -> Finding | None:
    """Judge a download that nobody reads.

    Args:
        sent: What was asked.
        finished: Whether Jupyter has handed over everything meanwhile.
    """
    if not finished:
        return None
    received = "Jupyter has sent everything, although the client has read nothing but the head"
    return Finding("buffered", "the response's content", sent, received)


def judge_compression(plain: Answer, packed: Answer) -> Finding | None:
    """Judge the same file without and with ``Accept-Encoding: gzip``.

    Args:
        plain: The whole file, as it was asked for without compression.
        packed: The same with it.
    """
    encoding = packed.field("Content-Encoding").lower()
    received = f"{packed.received}, Content-Encoding: {encoding or '(none)'}"
    if plain.field("Content-Encoding"):
        received = (
            f"{plain.received}, Content-Encoding: {plain.field('Content-Encoding')}, not asked"
        )
        return Finding("compression", "Content-Encoding", plain.sent, received)
    if not (plain.ok and packed.ok):
        return None
    try:
        unpacked = packed.body
        if encoding in ("gzip", "x-gzip"):
            unpacked = _unpacked(packed.body, len(plain.body))
    except (EOFError, zlib.error) as error:
        return Finding("compression", "Content-Encoding", packed.sent, f"{received}: {error}")
    if unpacked == plain.body:
        return None
    return Finding("compression", "Content-Encoding", packed.sent, f"{received}: another content")


def _unpacked(content: bytes, size_bytes: int) -> bytes:
    """What gzip packed, and no more than one octet beyond what is expected.

    Raises:
        EOFError: Its end is missing.
        zlib.error: It is no gzip.
    """
    gzip = zlib.decompressobj(wbits=31)
    unpacked = gzip.decompress(content, size_bytes + 1)
    if not gzip.eof and len(unpacked) <= size_bytes:
        raise EOFError("the compressed content ends early")
    return unpacked
