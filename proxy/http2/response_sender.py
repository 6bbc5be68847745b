"""Which content goes into the next frames of a connection: windows, priorities, sizes; no I/O."""

from __future__ import annotations

from proxy.http2.priorities import send_rank
from proxy.http2.settings import MAX_FRAME_BYTES, Http2Codec
from proxy.http2.stream import Stream

TINY_BYTES = 256
"""A frame cut to less by the client's window costs labgate more than the client."""


class ResponseSender:
    """The responses of one connection of which something waits to be sent.

    Attributes:
        frames: DATA frames since they were counted the last time.
        tiny_frames: Those of them that a window cut to almost nothing.
    """

    __slots__ = ("_codec", "_progress_at", "_turn", "_waiting", "frames", "tiny_frames")

    def __init__(self, codec: Http2Codec) -> None:
        self._codec = codec
        self._waiting: dict[int, Stream] = {}
        self._turn = 0
        self._progress_at = 0.0
        self.frames = self.tiny_frames = 0

    def schedule(self, stream: Stream, now: float) -> None:
        """Content of a stream, or its end, waits."""
        if stream.id not in self._waiting:
            self._waiting[stream.id] = stream
            stream.progress_at = now

    def forget(self, stream: Stream) -> None:
        """Nothing of it is sent any more."""
        self._waiting.pop(stream.id, None)

    def window_opened(self, stream: Stream | None) -> None:
        """The client takes more of a stream; None when that may be any."""
        for one in (stream,) if stream is not None else self._waiting.values():
            one.blocked = False

    def stalled(self, since: float) -> list[Stream]:
        """The streams of which the client has taken nothing from then on.

        One whose windows are open waits for others that go before it, and where the connection's
        window is closed, one waits that others leave some of it: neither is the client's fault.
        """
        codec = self._codec
        none_sent = codec.outbound_flow_control_window <= 0 and self._progress_at < since
        return [
            stream
            for stream in self._waiting.values()
            if stream.progress_at < since
            and stream.queued_bytes
            and (none_sent or codec.streams[stream.id].outbound_flow_control_window <= 0)
        ]

    def fill(self, max_bytes: int, now: float) -> list[Stream]:
        """Give the codec frames of about so many bytes; return the streams that they are of."""
        sent: list[Stream] = []
        while max_bytes > 0 and (stream := self._next()) is not None:
            count = self._send_frame(stream, now)
            if count is None:
                continue
            max_bytes -= count
            sent.append(stream)
        return sent

    def _next(self) -> Stream | None:
        open_window = self._codec.outbound_flow_control_window > 0
        ready = [
            stream
            for stream in self._waiting.values()
            if not stream.queued_bytes or (open_window and not stream.blocked)
        ]
        if len(ready) > 1:
            return min(ready, key=send_rank)
        return ready[0] if ready else None

    def _send_frame(self, stream: Stream, now: float) -> int | None:
        """Send one frame; its bytes of content, or None if the stream's window is used up."""
        most = MAX_FRAME_BYTES
        if stream.queued_bytes:
            window = self._codec.local_flow_control_window(stream.id)
            if window <= 0:
                stream.blocked = True
                return None
            if window < most:
                most = window
                self.tiny_frames += window < min(TINY_BYTES, stream.queued_bytes)
        data = stream.take(most)
        last = stream.response_ended and not stream.queued_bytes
        self._codec.send_data(stream.id, data, end_stream=last)
        self._turn += 1
        self.frames += 1
        stream.turn = self._turn
        stream.progress_at = self._progress_at = now
        if last or not stream.queued_bytes:
            self.forget(stream)
        stream.end_sent = last
        return len(data)
