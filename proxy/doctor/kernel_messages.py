"""Messages of Jupyter's kernels as they travel in a WebSocket. Pure.

The binary form is ``v1.kernel.websocket.jupyter.org``: the number of offsets, the offsets (each
in eight bytes, little-endian), then channel, header, parent header, metadata and content
(``serialize_msg_to_ws_v1`` of jupyter_server).

Tested by tests/doctor/test_servers.py and tests/doctor/test_nginx.py.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, slots=True)
class KernelMessage:
    """A message.

    Attributes:
        channel: ``shell``, ``control``, ``iopub`` or ``stdin``.
        kind: ``msg_type``.
        parent: ``msg_id`` of the message that it answers; empty if none.
    """

    channel: str
    kind: str
    content: dict[str, Any]
    parent: str = ""
    size_bytes: int = 0


def encoded(
    kind: str, content: dict[str, Any], session: str, padding: int = 0
) -> tuple[str, bytes]:
    """A request on the shell channel, and its ``msg_id``.

    Args:
        kind: ``msg_type``.
        content: Its content.
        session: The client's session, any name.
        padding: Bytes of metadata that no kernel reads.
    """
    id_ = uuid.uuid4().hex
    header = {"msg_id": id_, "username": "", "session": session, "msg_type": kind, "version": "5.3"}
    metadata = {"labgate_padding": "x" * padding} if padding else {}
    parts = [b"shell", *(json.dumps(part).encode() for part in (header, {}, metadata, content))]
    offsets = [8 * (1 + len(parts) + 1)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return id_, b"".join([*(number.to_bytes(8, "little") for number in numbers), *parts])


def decoded(data: bytes) -> KernelMessage:
    """Read a message.

    Raises:
        ValueError: It is not in this form.
    """
    count = int.from_bytes(data[:8], "little")
    if not 5 < count < 1000:
        raise ValueError(f"{count} offsets")
    offsets = [int.from_bytes(data[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    parts = [data[start:end] for start, end in pairwise(offsets)]
    header, parent, content = (json.loads(parts[n]) for n in (1, 2, 4))
    return KernelMessage(
        parts[0].decode(), header["msg_type"], content, parent.get("msg_id", ""), len(data)
    )
