"""Follows the frames of a WebSocket without reading them (RFC 6455 section 5.2); pure.

Where a frame ends is in its first bytes, so its payload is only counted. Extensions of frames, as
permessage-deflate, do not change that (section 9.1).
"""

from __future__ import annotations

from proxy.inspector.frames import unmask

PAYLOAD_BYTES = 8
"""Of labgate's own pings: random, so that no other pong has the same (section 5.5.3)."""

_PING, _PONG = 0x89, 0x8A
_MASKED = 0x80
_MASK_BYTES = 4
_PONG_BYTES = 2 + _MASK_BYTES + PAYLOAD_BYTES

_MAX_SHORT = 125
_LENGTH_16_BITS = 126
_CONTROL = _CLOSE = 8
"""From this opcode on it is a control frame (section 5.5)."""

_IN_HEADER = -1
_LOST = 1 << 62
"""More bytes than any connection transfers."""


def ping(payload: bytes) -> bytes:
    """A ping of the server's (section 5.5.2), which is never masked."""
    return bytes((_PING, len(payload))) + payload


class FrameWalker:
    """Knows whether one direction is between two frames.

    After a malformed frame or a close frame it stops for good: no frame may follow.

    Args:
        masked: Whether the frames are masked: those of a client are, those of a server are not.
    """

    __slots__ = ("_header", "_holding", "_masked", "_medium", "_overhead", "_skip")

    def __init__(self, *, masked: bool) -> None:
        self._masked = masked
        # Of a short frame; a medium one has a length of 16 bits.
        self._overhead = 2 + _MASK_BYTES if masked else 2
        self._medium = (_MASKED if masked else 0) | _LENGTH_16_BITS
        # The bytes of a frame that are still to come; in its header they are not known.
        self._skip = 0
        self._header = b""
        self._holding = False

    @property
    def between_frames(self) -> bool:
        """Whether the next byte begins a frame."""
        return self._skip == 0

    @property
    def lost(self) -> bool:
        """Whether the frames can no longer be followed."""
        return self._skip > _LOST // 2

    @property
    def held(self) -> bytes:
        """The bytes that ``without_pongs`` holds back."""
        return self._header if self._holding else b""

    def walk(self, data: bytes) -> None:
        """Follow the next bytes; nothing may be held."""
        size, skip = len(data), self._skip
        if skip > size:
            self._skip = skip - size
            return
        if not skip and size > _MASK_BYTES and not data[0] & _CONTROL:
            # Nearly always it is one frame, and then nothing changes.
            second = data[1]
            if second == self._medium:
                if data[2] << 8 | data[3] == size - self._overhead - 2:
                    return
            elif second & 0x7F == size - self._overhead <= _MAX_SHORT and (
                second >> 7 == self._masked
            ):
                return
        self._walk(data)

    def _walk(self, data: bytes) -> None:
        at = self._skip
        if at == _IN_HEADER:
            data, at = self._header + data, 0
        while at < len(data):
            end = self._end_of_frame(data, at)
            if end is None:
                self._header, self._skip = data[at:], _IN_HEADER
                return
            at = end
        self._skip = at - len(data)

    def without_pongs(self, data: bytes, payloads: list[bytes]) -> bytes:
        """Follow the next bytes of a client, and leave out the pongs with one of these payloads.

        An incomplete pong is held back until the rest arrives.

        Args:
            data: The bytes.
            payloads: Each of ``PAYLOAD_BYTES``; what is left out is removed from it.

        Returns:
            The bytes to pass on.
        """
        at, begun = self._skip, 0
        if at == _IN_HEADER:
            # Header bytes that were not held back have been passed on already.
            at, begun = 0, 0 if self._holding else len(self._header)
            data = self._header + data
        self._holding = False
        passed: list[bytes] = []
        start = begun
        while at < len(data):
            if at >= begun and _begins_pong(data, at):
                if len(data) < at + _PONG_BYTES:
                    self._header, self._skip, self._holding = data[at:], _IN_HEADER, True
                    passed.append(data[start:at])
                    return b"".join(passed)
                end = at + _PONG_BYTES
                payload = unmask(data[end - PAYLOAD_BYTES : end], data[at + 2 : at + 6])
                if payload in payloads:
                    payloads.remove(payload)
                    passed.append(data[start:at])
                    at = start = end
                    continue
            frame_end = self._end_of_frame(data, at)
            if frame_end is None:
                self._header, self._skip = data[at:], _IN_HEADER
                break
            at = frame_end
        else:
            self._skip = at - len(data)
        passed.append(data[start:])
        return b"".join(passed)

    def _end_of_frame(self, data: bytes, at: int) -> int | None:
        """Where the frame that begins at ``at`` ends; None if its header is not all there."""
        if len(data) < at + 2:
            return None
        opcode, length = data[at] & 0x0F, data[at + 1] & 0x7F
        lasting = opcode < _CONTROL or (_CLOSE < opcode <= _PONG & 0x0F and length <= _MAX_SHORT)
        if bool(data[at + 1] & _MASKED) is not self._masked or not lasting:
            return _LOST
        at += 2
        if length > _MAX_SHORT:
            size = 2 if length == _LENGTH_16_BITS else 8
            if len(data) < at + size:
                return None
            length = int.from_bytes(data[at : at + size])
            at += size
        return min(at + length + (_MASK_BYTES if self._masked else 0), _LOST)


def _begins_pong(data: bytes, at: int) -> bool:
    """Whether a pong with the mask of a client and the size of labgate's begins there, so far."""
    size = data[at + 1 : at + 2]
    return data[at] == _PONG and (not size or size[0] == _MASKED | PAYLOAD_BYTES)
