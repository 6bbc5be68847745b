"""What a client sends on an HTTP/2 connection: its streams, their requests and content."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hpack import HPACKError
from hyperframe.frame import ExtensionFrame

from proxy.http1.accepted_connection import AcceptingServer
from proxy.http2.flood_limits import Flood, FloodLimits
from proxy.http2.frame_reader import FrameReader, FrameType
from proxy.http2.priorities import Priority, parse_priority_update
from proxy.http2.request_body import StreamBody
from proxy.http2.request_head import RequestHeadReader, check_trailers
from proxy.http2.response_sender import ResponseSender
from proxy.http2.settings import (
    MAX_STREAMS,
    Http2Codec,
    bound_header_table,
    header_list_bytes,
)
from proxy.http2.stream import Stream, StreamConnection
from proxy.http2.wide_windows import WideWindows
from proxy.net.limits import ConcurrencyLimit
from proxy.rules.decide import is_own_path
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.message import expects_continue

MAX_EARLY_PRIORITIES = MAX_STREAMS
"""PRIORITY_UPDATE frames kept for streams that are not open yet (RFC 9218 section 7.1)."""


class Ending(NamedTuple):
    """Why a connection must end.

    Attributes:
        code: For the GOAWAY; None if h2 has queued it, or must not send one.
        reason: For the log; empty if it needs none.
    """

    code: ErrorCodes | None
    reason: str = ""


CLIENT_ENDED = Ending(None)
"""The client has sent a GOAWAY with an error: it reads nothing any more."""


class StreamServer(AcceptingServer, Protocol):
    """What an HTTP/2 connection needs of its port's server.

    Attributes:
        stream_limit: For all streams together.
        own_path_limit: For those for labgate's own paths, of which there may be so many more.
        wide_window_limit: For those with a wide window.
    """

    stream_limit: ConcurrencyLimit
    own_path_limit: ConcurrencyLimit
    wide_window_limit: ConcurrencyLimit


class RequestReceiver:
    """Makes streams and requests of a connection's bytes.

    Attributes:
        streams: Those that are open, by their numbers.
        waiting: Those of them whose requests are not dispatched yet.
        draining: Whether new streams are refused.

    Args:
        connection: What the streams send to.
        codec: Of the connection.
        sender: Learns what windows are opened.
        server: Of the port.
        arrival: What is known of the connection.
    """

    __slots__ = (
        "_codec",
        "_connection",
        "_early_priorities",
        "_floods",
        "_frames",
        "_heads",
        "_last_stream",
        "_limits",
        "_max_block_bytes",
        "_own_path_limit",
        "_refused_heads",
        "_sender",
        "_stream_limit",
        "_wide_windows",
        "draining",
        "streams",
        "waiting",
    )

    def __init__(
        self,
        connection: StreamConnection,
        codec: Http2Codec,
        sender: ResponseSender,
        server: StreamServer,
        arrival: Arrival,
    ) -> None:
        self._connection = connection
        self._codec = codec
        self._sender = sender
        self._limits = server.limits
        self._refused_heads = server.refused_heads
        self._max_block_bytes = header_list_bytes(server.limits)
        self._stream_limit = server.stream_limit
        self._own_path_limit = server.own_path_limit
        self._wide_windows = WideWindows(server.wide_window_limit, connection.client)
        self._heads = RequestHeadReader(server.limits, arrival)
        self._frames = FrameReader()
        self._floods = FloodLimits()
        self._early_priorities: dict[int, Priority] = {}
        self._last_stream = 0
        self.streams: dict[int, Stream] = {}
        self.waiting: deque[Stream] = deque()
        self.draining = False

    @property
    def within_head(self) -> bool:
        """Whether the client has begun a head, and not finished it."""
        return self._frames.within_head

    def receive(self, piece: bytes, now: float) -> Ending | None:
        """Take the next bytes.

        Args:
            piece: Not many of them: flood limits hold between two calls.
            now: ``time.monotonic()``.
        """
        frames = self._frames.read(piece)
        flood = self._floods.exceeded_by(frames, now)
        if flood is not None:
            return too_many(flood)
        if self._frames.block_bytes > self._max_block_bytes:
            # h2 keeps the block until it is complete, and counts its frames alone.
            return too_many(Flood.CONTINUATIONS)
        try:
            received = self._codec.receive_data(piece)
        except ProtocolError as error:
            reason = str(error) or type(error).__name__
            if error.error_code == ErrorCodes.PROTOCOL_ERROR and isinstance(
                error.__cause__, HPACKError
            ):
                # h2 has queued a GOAWAY with another code than RFC 9113 section 4.3 asks for.
                self._codec.clear_outbound_data_buffer()
                return Ending(ErrorCodes.COMPRESSION_ERROR, reason)
            return Ending(None, reason)
        # h2 has closed these by now, whatever came before. A stream that was opened and reset
        # within these bytes never becomes a request.
        closed: set[int] = set()
        resets = data_frames = 0
        for event in received:
            if isinstance(event, events.StreamReset):
                closed.add(event.stream_id)
                resets += self._lose_stream(event)
            elif isinstance(event, events.ConnectionTerminated) and event.error_code:
                return CLIENT_ENDED
        for event in received:
            if isinstance(event, events.DataReceived):
                data_frames += 1
                self._receive_content(event)
            elif not closed or getattr(event, "stream_id", 0) not in closed:
                resets += self._handle(event, now)
        if resets and not self._floods.count(Flood.RESETS, now, resets):
            return too_many(Flood.RESETS)
        if not self._floods.late_data(frames, data_frames, now):
            return too_many(Flood.LATE_DATA)
        return None

    def content_taken(self, stream: Stream, count: int) -> None:
        """Open the windows for so many bytes, and wide for a client that has more to send."""
        self._codec.acknowledge_received_data(count, stream.id)
        if more := self._wide_windows.widen(stream):
            self._codec.increment_flow_control_window(more, stream.id)

    def count_sent(self, now: float) -> Ending | None:
        """Count what was sent since the last call."""
        sender = self._sender
        frames, tiny, sender.frames, sender.tiny_frames = sender.frames, sender.tiny_frames, 0, 0
        self._floods.sent(frames)
        if tiny and not self._floods.count(Flood.TINY_WINDOWS, now, tiny):
            return too_many(Flood.TINY_WINDOWS)
        return None

    def _handle(self, event: events.Event, now: float) -> bool:
        """Take what h2 reports; True if labgate had to refuse or reset a stream for it."""
        match event:
            case events.RequestReceived():
                return self._open_stream(event, now)
            case events.TrailersReceived():
                return self._receive_trailers(event)
            case events.StreamEnded():
                if (stream := self.streams.get(event.stream_id)) is not None:
                    stream.end_request()
            case events.ConnectionTerminated():
                # It asks for nothing more, and waits for what it has asked for.
                self.draining = True
            case events.WindowUpdated():
                self._sender.window_opened(self.streams.get(event.stream_id))
            case events.RemoteSettingsChanged():
                bound_header_table(self._codec)
                self._sender.window_opened(None)
            case events.UnknownFrameReceived():
                frame = event.frame
                if isinstance(frame, ExtensionFrame) and frame.type == FrameType.PRIORITY_UPDATE:
                    self._update_priority(frame.body)
        return False

    def _open_stream(self, event: events.RequestReceived, now: float) -> bool:
        number, ended = event.stream_id, event.stream_ended is not None
        self._last_stream = number
        priority = self._early_priorities.pop(number, None)
        slot = head = None
        if not self.draining and len(self.streams) < MAX_STREAMS:
            slot = self._stream_limit.acquire(self._connection.client)
            head = self._heads.read(event.headers, ended=ended)
            if slot is None and isinstance(head, RequestHead) and is_own_path(head.target):
                slot = self._own_path_limit.acquire(self._connection.client)
        if slot is None or head is None:
            # RFC 9113 section 8.7: the client may send it again.
            self._codec.reset_stream(number, ErrorCodes.REFUSED_STREAM)
            return True
        priority = priority or self._heads.priority
        stream = Stream(self._connection, number, head, priority, slot=slot, now=now)
        stream.request_ended = ended
        self.streams[number] = stream
        if isinstance(head, Refuse):
            self._refused_heads.add(self._connection.client, head)
        elif not ended and head.framing.has_content:
            stream.body = self._new_body(stream, head)
        self.waiting.append(stream)
        return isinstance(head, Refuse)

    def _lose_stream(self, event: events.StreamReset) -> bool:
        stream = self.streams.pop(event.stream_id, None)
        if stream is not None:
            self._sender.forget(stream)
            stream.cancel()
            if stream in self.waiting:
                # While the client reads nothing, none is dispatched.
                self.waiting.remove(stream)
        # The client's own are counted as frames.
        return not event.remote_reset

    def _new_body(self, stream: Stream, head: RequestHead) -> StreamBody:
        length = None if head.framing.chunked else head.framing.length
        return StreamBody(stream, self._limits, length, expects_continue=expects_continue(head))

    def _receive_content(self, event: events.DataReceived) -> None:
        stream, data = self.streams.get(event.stream_id), event.data
        kept = 0
        if stream is not None and stream.body is not None:
            kept = len(data)
            # With the last frame comes the end: who takes the content at once is to know it.
            stream.request_ended = event.stream_ended is not None
            stream.body.feed(data)
        # Padding, and what nobody takes.
        if dropped := event.flow_controlled_length - kept:
            self._codec.acknowledge_received_data(dropped, event.stream_id)

    def _receive_trailers(self, event: events.TrailersReceived) -> bool:
        refusal = check_trailers(event.headers, self._limits)
        stream = self.streams.get(event.stream_id)
        if refusal is not None and stream is not None:
            stream.fail_request(refusal.status, refusal.sentence)
        return refusal is not None

    def _update_priority(self, payload: bytes) -> None:
        """A client thinks otherwise about a response, perhaps before it asks for it."""
        update = parse_priority_update(payload)
        if update is None:
            return
        stream = self.streams.get(update.stream_id)
        if stream is not None:
            stream.priority = update.priority
        elif (
            update.stream_id > self._last_stream
            and len(self._early_priorities) < MAX_EARLY_PRIORITIES
        ):
            self._early_priorities[update.stream_id] = update.priority


def too_many(flood: Flood) -> Ending:
    """A client sends too much of something."""
    return Ending(ErrorCodes.ENHANCE_YOUR_CALM, f"too many {flood.value}")
