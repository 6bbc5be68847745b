"""A file as it is kept, and the heads of its responses.

Tested by tests/cache/test_static_cache.py and test_disk_store.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

from proxy.rules.caching import (
    Validators,
    fields_of_304,
    has_content_hash,
    is_named_by,
    is_not_modified,
    is_script,
)
from proxy.rules.compression import preferred
from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.rules.ranges import own_etag
from proxy.rules.response import downstream_fields
from proxy.rules.site import Site


class FileKey(NamedTuple):
    """What a file is found by.

    Attributes:
        authority: The Host of the request, in lower case.
        target: Its request target, byte for byte.
    """

    authority: bytes
    target: bytes

    @property
    def file(self) -> tuple[bytes, bytes]:
        """What it names, whatever the query: the authority and the path."""
        return self.authority, self.target.partition(b"?")[0]

    @property
    def unproven(self) -> bool:
        """Whether only the content can tell if its ``?v=`` is one that Jupyter writes."""
        path, _, version = self.target.partition(b"?v=")
        return bool(version) and not is_named_by(path, version)


class FileAnswer(NamedTuple):
    """A response from a stored file.

    Attributes:
        status: 200, or 304 if the client has it already.
        fields: As they are sent.
        content: The octets that follow; empty for a 304.
    """

    status: int
    fields: list[Field]
    content: bytes


class CodedContent(NamedTuple):
    """The content of a file in one coding.

    Attributes:
        coding: The content coding; empty for none.
        octets: As they are sent.
        etag: Of the octets.
    """

    coding: bytes
    octets: bytes
    etag: bytes


def coded_content(coding: bytes, octets: bytes) -> CodedContent:
    """What is sent with this coding."""
    return CodedContent(coding, octets, own_etag(octets, coding))


@dataclass(slots=True, eq=False)
class StoredFile:
    """A file, in one coding or in several.

    Attributes:
        key: What it is found by.
        fields: Those of Jupyter's response that belong to the content.
        validators: What Jupyter's response must still say for the file to hold.
        digest: SHA-256 of the content as Jupyter sends it, in hexadecimal.
        best: The content in the best coding that it may be kept in; the disk has no other.
        compression_tried: Whether it is as small as it can be; without a coding if none helped.
        date: Jupyter's Date when it said so last.
        checked_at: ``time.monotonic()`` of then.
        period: During which it was checked: see ``StaticCache``; None for never.
        gzip_bytes: What the content takes in gzip, if that was made once; 0 if not.
        hashed: Whether its name changes with its content.
        script: Whether it is JavaScript.
        codings: The content in each coding that there is.
    """

    key: FileKey
    fields: tuple[Field, ...]
    validators: Validators
    digest: str
    best: CodedContent
    compression_tried: bool
    date: bytes = b""
    checked_at: float = 0.0
    period: int | None = None
    gzip_bytes: int = 0
    hashed: bool = field(init=False)
    script: bool = field(init=False)
    codings: dict[bytes, CodedContent] = field(init=False)

    def __post_init__(self) -> None:
        self.hashed = has_content_hash(self.key.target)
        self.script = is_script(self.validators.media)
        self.codings = {self.best.coding: self.best}

    @property
    def length(self) -> int:
        """Of the content as Jupyter sends it, in bytes."""
        return int(self.validators.length)

    def is_coded_well(self, *, compress: bool) -> bool:
        """Whether it is in the coding that it would be kept in now.

        Args:
            compress: Whether it would be compressed, if that makes it smaller.
        """
        return self.compression_tried if compress else not self.best.coding

    def select(self, request: RequestHead) -> CodedContent | None:
        """The content in the coding that the client prefers; None if it accepts none of them."""
        coding = preferred(self.codings, request)
        return None if coding is None else self.codings[coding]

    def answer(self, selected: CodedContent, request: RequestHead, site: Site) -> FileAnswer:
        """What the client gets, with the content ``selected``."""
        head = ResponseHead(200, b"OK", self.fields)
        sent, _ = downstream_fields(head, site, site.canonical)
        sent.append((b"ETag", selected.etag))
        if self.date:
            sent.append((b"Date", self.date))
        sent.append((b"Vary", b"Accept-Encoding"))
        # RFC 9111 section 5.1
        sent.append((b"Age", b"%d" % max(0, monotonic() - self.checked_at)))
        if is_not_modified(request, selected.etag, self.validators.last_modified):
            return FileAnswer(304, fields_of_304(sent), b"")
        if selected.coding:
            sent.append((b"Content-Encoding", selected.coding))
        # A range of these octets could not be continued with Jupyter's.
        sent.append((b"Accept-Ranges", b"none"))
        sent.append((b"Content-Length", b"%d" % len(selected.octets)))
        return FileAnswer(200, sent, b"" if request.method == b"HEAD" else selected.octets)
