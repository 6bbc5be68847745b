"""Kernel messages in both formats, as jupyter_server writes them."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from proxy.inspector.kernel_messages import (
    BINARY_SUBPROTOCOL,
    KernelMessageSummary,
    carries_kernel_messages,
    parse_kernel_message,
)

HEADER = {"msg_id": "1", "msg_type": "execute_input", "session": "s"}
PARENT = {"msg_type": "execute_request"}


def v1(channel: str, header: Any, parent: Any, content: Any, *buffers: bytes) -> bytes:
    """As ``serialize_msg_to_ws_v1`` in jupyter_server."""
    described: list[Any] = [header, parent, {}, content]
    parts = [channel.encode(), *(json.dumps(one).encode() for one in described), *buffers]
    offsets = [8 * (1 + len(parts) + 1)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"<{1 + len(offsets)}Q", len(offsets), *offsets) + b"".join(parts)


def older_binary(message: Any, *buffers: bytes) -> bytes:
    """As ``serialize_binary_message`` in jupyter_server."""
    parts = [json.dumps(message).encode(), *buffers]
    offsets = [4 * (len(parts) + 1)]
    for part in parts[:-1]:
        offsets.append(offsets[-1] + len(part))
    return struct.pack(f"!{1 + len(offsets)}I", len(offsets), *offsets) + b"".join(parts)


MESSAGE = {
    "channel": "iopub",
    "header": HEADER,
    "parent_header": PARENT,
    "content": {"code": "secret()", "execution_count": 3},
}
CONTENT = '{"code": "secret()", "execution_count": 3}'
EXPECTED = KernelMessageSummary("iopub", "execute_input", 3, "", "execute_request", CONTENT)


@pytest.mark.parametrize(
    ("content", "binary", "subprotocol"),
    [
        (json.dumps(MESSAGE).encode(), False, b""),
        (v1("iopub", HEADER, PARENT, MESSAGE["content"]), True, BINARY_SUBPROTOCOL),
        (v1("iopub", HEADER, PARENT, MESSAGE["content"], b"\x00\xff"), True, BINARY_SUBPROTOCOL),
        (older_binary(MESSAGE), True, b""),
        (older_binary(MESSAGE, b"\x00\xff", b"b"), True, b""),
    ],
)
def test_formats(content: bytes, binary: bool, subprotocol: bytes) -> None:
    assert parse_kernel_message(content, binary=binary, subprotocol=subprotocol) == EXPECTED


def test_one_that_is_cut_off_in_its_content() -> None:
    whole = v1("shell", HEADER, PARENT, {"code": "x" * 1000, "execution_count": 3})
    message = parse_kernel_message(whole[:-500], binary=True, subprotocol=BINARY_SUBPROTOCOL)
    assert message == KernelMessageSummary("shell", "execute_input", None, "", "execute_request")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (EXPECTED, "iopub execute_input [3]"),
        (KernelMessageSummary("iopub", "status", execution_state="busy"), "iopub status busy"),
        (KernelMessageSummary("shell", "kernel_info_request"), "shell kernel_info_request"),
    ],
)
def test_words(message: KernelMessageSummary, words: str) -> None:
    assert str(message) == words


@pytest.mark.parametrize(
    ("content", "binary", "subprotocol"),
    [
        (b"", False, b""),
        (b"[]", False, b""),
        (b'{"header": 1}', False, b""),
        (b'{"header": {"msg_type": 7}}', False, b""),
        (b"\xff\xfe", False, b""),
        (b"[" * 100_000, False, b""),
        (b"", True, BINARY_SUBPROTOCOL),
        (struct.pack("<Q", 1 << 60), True, BINARY_SUBPROTOCOL),
        (struct.pack("<7Q", 6, 9, 8, 7, 6, 5, 4), True, BINARY_SUBPROTOCOL),
        (struct.pack("!I", 1 << 31), True, b""),
        (struct.pack("!I", 0), True, b""),
        (b"\x00\x00\x00\x01\x00\x00\xff\xff{}", True, b""),
    ],
)
def test_anything_else_is_none(content: bytes, binary: bool, subprotocol: bytes) -> None:
    assert parse_kernel_message(content, binary=binary, subprotocol=subprotocol) is None


@pytest.mark.parametrize(
    ("target", "does"),
    [
        (b"/api/kernels/1b-2/channels?session_id=3", True),
        (b"/user/ada/api/kernels/1/channels", True),
        (b"/api/events/subscribe", False),
        (b"/terminals/websocket/1", False),
        (b"/api/kernels/1/channelsx", False),
    ],
)
def test_which_sockets(target: bytes, does: bool) -> None:
    assert carries_kernel_messages(target) is does
