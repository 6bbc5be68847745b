"""The beginning of some content, kept as it passes.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from proxy.inspector.content import decode, is_text, redacted_text
from proxy.inspector.exchange import CapturedContent, CapturedHead


class ContentRecorder:
    """Keeps the first bytes of one content.

    Args:
        max_bytes: How many.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._first = bytearray()
        self._octets = 0

    def feed(self, data: bytes) -> None:
        """Keep a copy of what is still missing."""
        self._octets += len(data)
        room = self._max_bytes - len(self._first)
        if room > 0:
            self._first += data[:room]

    @property
    def beginning(self) -> bytes:
        """The first bytes, as they came: for whoever reads them and shows none."""
        return bytes(self._first)

    def captured(self, head: CapturedHead) -> CapturedContent:
        """What may be shown of it.

        Args:
            head: The message's head, with the media type and the coding.
        """
        content_type = head.value("content-type")
        text, whole = "", False
        if is_text(content_type):
            decoded = decode(bytes(self._first), head.value("content-encoding"), self._max_bytes)
            if decoded is not None:
                data, more = decoded
                whole = not more and len(self._first) == self._octets
                text = redacted_text(data, content_type, whole=whole)
        return CapturedContent(text, self._octets, whole)
