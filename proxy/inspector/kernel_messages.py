"""Jupyter's kernel messages on ``/api/kernels/ID/channels``, in words.

Two formats: the subprotocol ``v1.kernel.websocket.jupyter.org`` (jupyter_server
``services/kernels/connection/base.py``, ``deserialize_msg_from_ws_v1``), and JSON, with its
older binary form for messages with buffers (``deserialize_binary_message``).
"""

from __future__ import annotations

import itertools
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BINARY_SUBPROTOCOL = b"v1.kernel.websocket.jupyter.org"

_CHANNELS = re.compile(rb"/api/kernels/[^/?#]+/channels(?:[?#]|\Z)")
_MAX_OFFSETS = 1024
_MAX_NAME_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class KernelMessageSummary:
    """What a kernel message is.

    Attributes:
        channel: ``shell``, ``iopub``, ``control`` or ``stdin``.
        msg_type: For example ``execute_request``.
        execution_count: The number in ``In [3]``; None without one.
        execution_state: Of a ``status`` message: ``busy``, ``idle`` or ``starting``.
        parent_type: The ``msg_type`` of the request that it belongs to; empty without one.
        content: Its content as JSON: code and output. Empty if it was cut short.
    """

    channel: str
    msg_type: str
    execution_count: int | None = None
    execution_state: str = ""
    parent_type: str = ""
    content: str = field(default="", repr=False)

    def __str__(self) -> str:
        text = f"{self.channel} {self.msg_type}"
        if self.execution_count is not None:
            text += f" [{self.execution_count}]"
        if self.execution_state:
            text += f" {self.execution_state}"
        return text


def carries_kernel_messages(target: bytes) -> bool:
    """Whether a WebSocket at this request target speaks with a kernel."""
    return _CHANNELS.search(target) is not None


def parse_kernel_message(
    content: bytes, *, binary: bool, subprotocol: bytes
) -> KernelMessageSummary | None:
    """Read a message; None if it is cut short or is no kernel message."""
    try:
        if not binary:
            return _of_json(json.loads(content))
        if subprotocol == BINARY_SUBPROTOCOL:
            return _of_v1(content)
        return _of_json(json.loads(_first_part(content)))
    except (ValueError, struct.error, RecursionError):
        return None


def _of_json(message: Any) -> KernelMessageSummary | None:
    if not isinstance(message, dict):
        return None
    return _describe(
        _text(message.get("channel")),
        message.get("header"),
        message.get("parent_header"),
        message.get("content"),
    )


def _of_v1(content: bytes) -> KernelMessageSummary | None:
    (count,) = struct.unpack_from("<Q", content)
    if not 6 <= count <= _MAX_OFFSETS:
        return None
    offsets = struct.unpack_from(f"<{count}Q", content, 8)
    if list(offsets) != sorted(offsets):
        return None
    channel, header, parent, _metadata, body = (
        content[start:end] for start, end in itertools.pairwise(offsets[:6])
    )
    # Only what is long may be cut off: the content.
    described = json.loads(body) if len(body) == offsets[5] - offsets[4] else None
    return _describe(
        channel.decode("utf-8", "replace"), json.loads(header), json.loads(parent), described
    )


def _first_part(content: bytes) -> bytes:
    """The JSON of the older binary form: big-endian offsets, then the parts."""
    (count,) = struct.unpack_from("!I", content)
    if not 1 <= count <= _MAX_OFFSETS:
        raise ValueError("no kernel message has so many parts")
    offsets = struct.unpack_from(f"!{count}I", content, 4)
    return content[offsets[0] : offsets[1] if count > 1 else len(content)]


def _describe(channel: str, header: Any, parent: Any, content: Any) -> KernelMessageSummary | None:
    if not isinstance(header, Mapping) or not _text(header.get("msg_type")):
        return None
    body = content if isinstance(content, Mapping) else {}
    count = body.get("execution_count")
    return KernelMessageSummary(
        channel=channel[:_MAX_NAME_CHARACTERS],
        msg_type=_text(header.get("msg_type")),
        execution_count=count if type(count) is int else None,
        execution_state=_text(body.get("execution_state")),
        parent_type=_text(parent.get("msg_type")) if isinstance(parent, Mapping) else "",
        content=json.dumps(content, ensure_ascii=False) if content is not None else "",
    )


def _text(value: Any) -> str:
    return value[:_MAX_NAME_CHARACTERS] if isinstance(value, str) else ""
