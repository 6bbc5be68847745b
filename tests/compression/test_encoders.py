"""The content codings: what others decode, piece by piece if it must be."""

from __future__ import annotations

import random
import sys
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]
import pytest

from proxy.compression.encoders import ENCODERS
from proxy.rules.compression import CODINGS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WORDS = [b"function", b"return", b"const", b"(", b")", b"{", b"}", b"=>", b"this", b"let"]
TEXT = b" ".join(random.Random(1).choices(WORDS, k=300_000))


def gunzip() -> Callable[[bytes], bytes]:
    return zlib.decompressobj(31).decompress


def brotli_decoder() -> Callable[[bytes], bytes]:
    decoder = brotli.Decompressor()

    def decode(data: bytes) -> bytes:
        decoded: bytes = decoder.process(data)
        piece = decoded
        while piece:
            # It may keep what it has decoded until it is asked again.
            piece = decoder.process(b"")
            decoded += piece
        return decoded

    return decode


def zstd_decoder() -> Callable[[bytes], bytes]:
    return zstd.ZstdDecompressor().decompress


DECODERS = {b"gzip": gunzip, b"br": brotli_decoder, b"zstd": zstd_decoder}


def test_every_coding_has_an_encoder() -> None:
    assert set(ENCODERS) == set(CODINGS) == set(DECODERS)


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_encoded_is_decoded(coding: bytes) -> None:
    encoder = ENCODERS[coding]()
    pieces = [TEXT[start : start + 50_000] for start in range(0, len(TEXT), 50_000)]
    encoded = b"".join([*map(encoder.encode, pieces), encoder.finish()])
    assert len(encoded) < len(TEXT) / 3
    decode = DECODERS[coding]()
    assert decode(encoded) == TEXT


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_flushed_is_there(coding: bytes) -> None:
    encoder, decode = ENCODERS[coding](), DECODERS[coding]()
    for piece in (b"one", b"two", b"three"):
        assert decode(encoder.encode(piece) + encoder.flush()) == piece
    assert decode(encoder.finish()) == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_is_encoded(coding: bytes) -> None:
    assert DECODERS[coding]()(ENCODERS[coding]().finish()) == b""
