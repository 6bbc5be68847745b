"""Which upload of a connection gets a wide window.

Its client sends more before it has to wait for labgate. Tested by
tests/http2/test_server_connection.py.
"""

from __future__ import annotations

from proxy.http2.settings import STREAM_WINDOW_BYTES, WIDE_WINDOW_BYTES
from proxy.http2.stream import Stream
from proxy.net.limits import ConcurrencyLimit


class WideWindows:
    """The wide windows of one connection: one at a time.

    Two that an upstream has stopped to take would use up the window of the whole connection, and
    uploads to other upstreams would wait for them.

    Args:
        limit: For all connections.
        client: The client's address.
    """

    __slots__ = ("_client", "_limit", "_stream")

    def __init__(self, limit: ConcurrencyLimit, client: str) -> None:
        self._limit = limit
        self._client = client
        self._stream: Stream | None = None

    def widen(self, stream: Stream) -> int:
        """By how many bytes the window grows of a stream whose content was just taken.

        That its client has no more to send releases its place for another upload.
        """
        if stream.request_ended or stream.closed:
            if stream.wide_window is not None:
                stream.wide_window.release()
            return 0
        former = self._stream
        if former is not None and not (former.request_ended or former.closed):
            return 0
        stream.wide_window = self._limit.acquire(self._client)
        if stream.wide_window is None:
            return 0
        self._stream = stream
        return WIDE_WINDOW_BYTES - STREAM_WINDOW_BYTES
