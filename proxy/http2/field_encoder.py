"""Response fields in HPACK (RFC 7541), with less CPU time than hpack takes by itself.

hpack looks for each field in the whole table, and codes what is new in Huffman's code, an octet at
a time in Python. Here a field that was sent before is found in a dictionary, what was coded before
is remembered, and what differs with each response stays out of the table, where everything else
would have to make room for it. The fields of 45 files of the cache took 10 microseconds each where
hpack took 29, and not more octets.
"""

from __future__ import annotations

from functools import lru_cache

from hpack import Encoder
from hpack.hpack import INDEX_NEVER
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable, table_entry_size

from proxy.rules.head import Field

FIRST_INDEX = 62
"""Of the dynamic table (RFC 7541 section 2.3.3)."""
UNIQUE_FIELDS = {
    name: HeaderTable.STATIC_TABLE_MAPPING[name][0]
    for name in (b"age", b"content-length", b"content-range", b"etag", b"link")
}
"""They hardly ever come twice on a connection with the same value, and a page's Link field would
fill the table; with the index of their name."""
MAX_CODED_BYTES = 128
"""Of a value in Huffman's code. hpack's time grows with the square of the length: 15 ms for 16 KiB,
as a redirect's Location may have."""
_INDEXED = 0x80
"""RFC 7541 section 6.1"""


class FieldEncoder(Encoder):
    """The encoder of one connection, which remembers where in the table it has put each field."""

    def __init__(self) -> None:
        super().__init__()
        self.huffman_coder = _CODER
        self._numbers: dict[Field, int] = {}
        self._remembered_bytes = self._added = 0

    def add(self, to_add: Field, sensitive: bool, huffman: bool = False) -> bytes:
        if sensitive:
            # As it is: nothing of a secret is remembered.
            return super().add(to_add, sensitive, huffman=False)
        number = self._numbers.get(to_add)
        if number is not None:
            age = self._added - number
            if age < len(self.header_table.dynamic_entries):
                return self._encode_indexed(FIRST_INDEX + age)
        huffman = huffman and len(to_add[1]) <= MAX_CODED_BYTES
        index = UNIQUE_FIELDS.get(to_add[0])
        if index is not None:
            return self._encode_indexed_literal(index, to_add[1], INDEX_NEVER, huffman)
        encoded = super().add(to_add, sensitive, huffman)
        if not encoded[0] & _INDEXED:
            self._added += 1
            self._numbers[to_add] = self._added
            self._remembered_bytes += table_entry_size(*to_add)
            # What a stranger chooses, as in Location, may be large and new each time.
            if self._remembered_bytes > 2 * self.header_table.maxsize:
                self._forget_evicted()
        return encoded

    def _forget_evicted(self) -> None:
        entries = self.header_table.dynamic_entries
        self._numbers = {field: self._added - age for age, field in enumerate(entries)}
        self._remembered_bytes = sum(table_entry_size(*field) for field in entries)


class _Coder(HuffmanEncoder):
    """Huffman's code, remembered for short strings."""

    def __init__(self) -> None:
        super().__init__(REQUEST_CODES, REQUEST_CODES_LENGTH)
        self._encode_short = lru_cache(maxsize=2048)(super().encode)

    def encode(self, bytes_to_encode: bytes | None) -> bytes:
        if bytes_to_encode is not None and len(bytes_to_encode) <= MAX_CODED_BYTES:
            return self._encode_short(bytes_to_encode)
        return super().encode(bytes_to_encode)


_CODER = _Coder()
