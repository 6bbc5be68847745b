"""What labgate tells each HTTP/2 client at the start (RFC 9113 section 6.5.2), and h2's set-up.

Extended CONNECT (RFC 8441) is not announced: browsers then open WebSockets over HTTP/1.1.
Tested by tests/http2/test_settings.py.
"""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, Event
from h2.settings import SettingCodes, Settings
from hyperframe.frame import Frame, GoAwayFrame, SettingsFrame

from proxy.http2.field_encoder import FieldEncoder
from proxy.net.limits import Limits

MAX_STREAMS = 100
"""Requests at once on one connection; RFC 9113 section 6.5.2 asks for no fewer."""
STREAM_WINDOW_BYTES = 256 * 1024
"""Of a request's content that may wait for its upstream."""
WIDE_WINDOW_BYTES = 2 * 1024 * 1024
"""The same where the upstream takes what comes. A client sends a window in each round trip at most:
a piece of one of JupyterLab's uploads (1.4 MB) would take seven of them with the one above."""
CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024
"""Of all requests' content on one connection together."""
DEFAULT_WINDOW_BYTES = 65_535
HEADER_TABLE_BYTES = 4096
"""HPACK's default, for both directions. A client may allow any size, and the table that labgate
keeps of response fields would grow to it."""
MAX_FRAME_BYTES = 16_384
"""RFC 9113's minimum, in both directions: a more urgent response gets its turn between two."""
REMEMBERED_STREAMS = 1024
"""Closed streams of which h2 remembers how they ended; its default takes megabytes."""

NO_RFC7540_PRIORITIES = 0x9
"""RFC 9218 section 2.1: the dependency trees of RFC 7540 are not looked at."""

_CONFIGURATION = H2Configuration(
    client_side=False,
    header_encoding=None,
    # ``request_head`` checks all of that, and more, in a fifth of the time.
    validate_inbound_headers=False,
    normalize_inbound_headers=False,
    # ``responder`` writes nothing else.
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


class Http2Codec(H2Connection):
    """h2's side of one connection: frames, HPACK and windows, without I/O."""

    MAX_CLOSED_STREAMS = REMEMBERED_STREAMS

    def __init__(self, config: H2Configuration) -> None:
        super().__init__(config)
        self.encoder = FieldEncoder()

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[Event]]:
        """Report it and go on: the client still wants its responses (RFC 9113 section 6.8).

        h2 would send nothing any more.
        """
        ended = ConnectionTerminated()
        ended.error_code, ended.last_stream_id = frame.error_code, frame.last_stream_id
        return [], [ended]


def header_list_bytes(limits: Limits) -> int:
    """The largest header list that is decoded at all; above it the connection ends.

    Twice what is allowed, so that a head that is a little too long gets its 414 or 431, and 32
    octets for each field (RFC 9113 section 6.5.2).
    """
    return 2 * (limits.request_line + limits.head) + 32 * (2 * limits.fields + 8)


def begin(limits: Limits) -> tuple[Http2Codec, bytes]:
    """A new connection, and the bytes that labgate sends first."""
    header_list = header_list_bytes(limits)
    codec = Http2Codec(_CONFIGURATION)
    codec.local_settings = Settings(
        client=False,
        initial_values={
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: header_list,
        },
    )
    codec.decoder.max_header_list_size = header_list
    codec.initiate_connection()
    # h2 would announce each setting that it knows, and end the connection of a client that opens
    # too many streams, perhaps before it has read the limit. That stream alone is refused here.
    codec.clear_outbound_data_buffer()
    announced = SettingsFrame(
        0,
        {
            SettingCodes.MAX_CONCURRENT_STREAMS: MAX_STREAMS,
            SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES,
            SettingCodes.MAX_HEADER_LIST_SIZE: header_list,
            NO_RFC7540_PRIORITIES: 1,
        },
    )
    codec.increment_flow_control_window(CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
    return codec, announced.serialize() + codec.data_to_send()


def bound_header_table(codec: Http2Codec) -> None:
    """Keep the table of response fields small, whatever size the client allows."""
    codec.encoder.header_table_size = min(codec.encoder.header_table_size, HEADER_TABLE_BYTES)


def go_away(codec: Http2Codec, code: ErrorCodes) -> bytes:
    """A GOAWAY frame that names the last stream that was looked at (RFC 9113 section 6.8).

    h2 would send nothing after one of its own, not even what is in progress.
    """
    frame = GoAwayFrame(0)
    frame.last_stream_id, frame.error_code = codec.highest_inbound_stream_id, code
    return frame.serialize()
