"""What is written is what hpack's decoder reads, whatever the table holds."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hpack import Decoder, NeverIndexedHeaderTuple

from proxy.http2.field_encoder import FieldEncoder
from proxy.rules.head import Field

NAMES = (b":status", b"server", b"etag", b"x-one", b"x-two", b"content-length", b"vary")


def lists(number: int, values: int) -> list[list[Field]]:
    """Header lists whose fields come again more or less often."""
    noise = random.Random(values)
    return [
        [(noise.choice(NAMES), b"%d" % noise.randrange(values)) for _ in range(8)]
        for _ in range(number)
    ]


@pytest.mark.parametrize("values", [2, 20, 1000])
@pytest.mark.parametrize("table_bytes", [0, 64, 200, 4096])
def test_every_list_is_decoded_as_it_was(values: int, table_bytes: int) -> None:
    encoder, decoder = FieldEncoder(), Decoder()
    encoder.header_table_size = table_bytes
    for at, fields in enumerate(lists(300, values)):
        if at == 150:
            encoder.header_table_size = table_bytes // 2
        assert list(decoder.decode(encoder.encode(fields), raw=True)) == fields


def test_a_field_that_comes_again_is_one_octet() -> None:
    encoder = FieldEncoder()
    assert len(encoder.encode([(b"x-one", b"some value")])) > 10
    assert encoder.encode([(b"x-one", b"some value")]) == b"\xbe"


def test_what_differs_each_time_leaves_the_table_to_the_others() -> None:
    encoder = FieldEncoder()
    encoder.encode([(b"x-one", b"some value")])
    for number in range(500):
        encoder.encode([(b"etag", b'"%d"' % number), (b"content-length", b"%d" % number)])
    assert encoder.encode([(b"x-one", b"some value")]) == b"\xbe"


def test_the_scripts_of_a_page_leave_the_table_to_the_others() -> None:
    encoder = FieldEncoder()
    encoder.encode([(b"x-one", b"some value")])
    encoder.encode([(b"link", b",".join(b"</%d.js>;rel=preload" % one for one in range(180)))])
    assert encoder.encode([(b"x-one", b"some value")]) == b"\xbe"


@pytest.mark.parametrize("value_bytes", [500, 8000])
def test_what_left_the_table_takes_no_memory(value_bytes: int) -> None:
    """8 KB are more than the table; a stranger can choose them, as in a redirect's Location."""
    encoder = FieldEncoder()
    tracemalloc.start()
    try:
        for number in range(100):
            encoder.encode([(b"location", b"%d" % number + value_bytes * b"/")])
        kept_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept_bytes < 30_000


def test_a_long_value_is_written_as_it_is() -> None:
    value = 16_000 * b"/"
    assert FieldEncoder().encode([(b"location", value)]).endswith(value)


def test_a_secret_is_never_in_the_table() -> None:
    encoder, secret = FieldEncoder(), NeverIndexedHeaderTuple(b"set-cookie", b"secret")
    first = encoder.encode([secret])
    assert first == encoder.encode([secret])
    assert first[0] & 0xF0 == 0x10, "RFC 7541 section 6.2.3"
    assert not encoder.header_table.dynamic_entries
