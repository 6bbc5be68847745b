"""The content codings, as streams that can be flushed."""

from __future__ import annotations

import sys
import zlib
from typing import Protocol

import brotli  # type: ignore[import-untyped]

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, ZstdCompressor
else:
    from backports.zstd import CompressionParameter, ZstdCompressor

ZSTD_LEVEL = 3
"""374 MB of JavaScript in a second of CPU time, to 27 %; level 6 makes 118 MB, to 25 %."""
ZSTD_WINDOW = 20
"""1 MiB; browsers take up to 8 (RFC 9659)."""
BROTLI_QUALITY = 4
BROTLI_WINDOW = 20
GZIP_LEVEL = 4
GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""With a header and a trailer of gzip (RFC 1952)."""


class Encoder(Protocol):
    """Encodes one content."""

    def encode(self, data: bytes) -> bytes:
        """Take a piece; returns what is complete of the encoded content."""

    def flush(self) -> bytes:
        """Everything that was taken can be decoded with what this returns."""

    def finish(self) -> bytes:
        """The rest."""


class ZstdEncoder:
    """Zstandard (RFC 8878)."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(
            options={
                CompressionParameter.compression_level: ZSTD_LEVEL,
                CompressionParameter.window_log: ZSTD_WINDOW,
            }
        )

    def encode(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def flush(self) -> bytes:
        return self._compressor.flush(self._compressor.FLUSH_BLOCK)

    def finish(self) -> bytes:
        return self._compressor.flush(self._compressor.FLUSH_FRAME)


class BrotliEncoder:
    """Brotli (RFC 7932)."""

    def __init__(self) -> None:
        self._compressor = brotli.Compressor(quality=BROTLI_QUALITY, lgwin=BROTLI_WINDOW)

    def encode(self, data: bytes) -> bytes:
        encoded: bytes = self._compressor.process(data)
        return encoded

    def flush(self) -> bytes:
        encoded: bytes = self._compressor.flush()
        return encoded

    def finish(self) -> bytes:
        encoded: bytes = self._compressor.finish()
        return encoded


class GzipEncoder:
    """gzip (RFC 1952)."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)

    def encode(self, data: bytes) -> bytes:
        return self._compressor.compress(data)

    def flush(self) -> bytes:
        return self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._compressor.flush(zlib.Z_FINISH)


ENCODERS: dict[bytes, type[Encoder]] = {
    b"zstd": ZstdEncoder,
    b"br": BrotliEncoder,
    b"gzip": GzipEncoder,
}
"""By the names of ``rules.compression.CODINGS``."""
