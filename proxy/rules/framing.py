"""How the octets behind a head are to be read (RFC 9112 section 6).

The one place where Content-Length and Transfer-Encoding are understood. Code that reads a
request's content, forwards it, or lets another request follow it uses the same ``Framing``. llhttp
finds the end of a response's content; ``response_faults`` asks here whether it may.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

_LENGTH = re.compile(rb"[0-9]{1,18}")

NO_LENGTH = "Content-Length must be there once, as one number."
TWO_FRAMINGS = "Content-Length and Transfer-Encoding contradict each other."
UNKNOWN_CODING = "The only transfer coding known here is chunked, once."


class FramingFault(NamedTuple):
    """Why a message is not read (section 6.3).

    Attributes:
        status: For a request: 501 for a coding that is not known here, else 400.
        field: The field at fault.
        sentence: The explanation for the client.
    """

    status: Literal[400, 501]
    field: Literal["Content-Length", "Transfer-Encoding"]
    sentence: str


class Framing(NamedTuple):
    """What the two fields say of the content.

    Attributes:
        length: Octets of content; 0 for none, and for chunked content.
        chunked: There is a Transfer-Encoding: only a parser finds the content's end.
        fault: Why the request must not be forwarded; None if it may be.
    """

    length: int = 0
    chunked: bool = False
    fault: FramingFault | None = None

    @property
    def has_content(self) -> bool:
        """Whether at least one octet of content or framing follows the head."""
        return self.chunked or self.length > 0


NO_CONTENT = Framing()
CHUNKED = Framing(chunked=True)


def read_framing(lengths: Sequence[bytes], codings: Sequence[bytes]) -> Framing:
    """Read both fields together, because each changes what the other one means.

    Args:
        lengths: Every value of Content-Length.
        codings: Every value of Transfer-Encoding.
    """
    if codings:
        return _coded(lengths, codings)
    if not lengths:
        return NO_CONTENT
    if len(lengths) > 1 or _LENGTH.fullmatch(lengths[0]) is None:
        return Framing(fault=FramingFault(400, "Content-Length", NO_LENGTH))
    return Framing(int(lengths[0]))


def _coded(lengths: Sequence[bytes], codings: Sequence[bytes]) -> Framing:
    """Transfer-Encoding is ``chunked`` and nothing else (sections 6.1 and 7)."""
    if lengths:
        return _faulty(400, TWO_FRAMINGS)
    names = [name.strip(b" \t").lower() for value in codings for name in value.split(b",")]
    if names == [b"chunked"]:
        return CHUNKED
    # Chunked twice is an error, and without chunked last there is no end.
    well_formed = names[-1] == b"chunked" and names.count(b"chunked") == 1
    return _faulty(501 if well_formed else 400, UNKNOWN_CODING)


def _faulty(status: Literal[400, 501], sentence: str) -> Framing:
    fault = FramingFault(status, "Transfer-Encoding", sentence)
    return Framing(chunked=True, fault=fault)
