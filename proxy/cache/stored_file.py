"""A file as it is kept, and the heads of its responses.

Tested by tests/cache/test_static_cache.py and test_disk_store.py.
"""

from __future__ import annotations

import hashlib
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
    kept_fields,
)
from proxy.rules.head import Field, RequestHead, ResponseHead
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


@dataclass(slots=True, eq=False)
class StoredFile:
    """One representation of one file.

    Attributes:
        key: What it is found by.
        fields: Those of Jupyter's response that belong to the content.
        validators: What Jupyter's response must still say for the file to hold.
        digest: SHA-256 of the content as Jupyter sends it, in hexadecimal.
        coding: The content coding of ``content``; empty for none.
        content: As it is sent.
        date: Jupyter's Date when it said so last.
        checked_at: ``time.monotonic()`` of then.
        period: During which it was checked: see ``StaticCache``; None for never.
        hashed: Whether its name changes with its content.
        script: Whether it is JavaScript.
        etag: Of the octets that are sent (RFC 9110 section 8.8.3): another encoder, or another
            setting of it, makes others of the same content.
    """

    key: FileKey
    fields: tuple[Field, ...]
    validators: Validators
    digest: str
    coding: bytes
    content: bytes
    date: bytes = b""
    checked_at: float = 0.0
    period: int | None = None
    hashed: bool = field(init=False)
    script: bool = field(init=False)
    etag: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.hashed = has_content_hash(self.key.target)
        self.script = is_script(self.validators.media)
        suffix = b"-" + self.coding if self.coding else b""
        digest = hashlib.sha256(self.content).hexdigest()[:32]
        self.etag = b'"%b%b"' % (digest.encode("ascii"), suffix)

    @property
    def saved_bytes(self) -> int:
        """How many fewer bytes the client gets than Jupyter would send."""
        return int(self.validators.length) - len(self.content)

    def answer(self, request: RequestHead, site: Site) -> FileAnswer:
        """What the client gets."""
        head = ResponseHead(200, b"OK", self.fields)
        sent, _ = downstream_fields(head, site, site.canonical)
        sent.append((b"ETag", self.etag))
        if self.date:
            sent.append((b"Date", self.date))
        sent.append((b"Vary", b"Accept-Encoding"))
        if is_not_modified(request, self.etag, self.validators.last_modified):
            return FileAnswer(304, fields_of_304(sent), b"")
        # RFC 9111 section 5.1
        sent.append((b"Age", b"%d" % max(0, monotonic() - self.checked_at)))
        if self.coding:
            sent.append((b"Content-Encoding", self.coding))
        # A range of these octets could not be continued with Jupyter's.
        sent.append((b"Accept-Ranges", b"none"))
        sent.append((b"Content-Length", b"%d" % len(self.content)))
        return FileAnswer(200, sent, b"" if request.method == b"HEAD" else self.content)


def store(
    key: FileKey,
    head: ResponseHead,
    validators: Validators,
    digest: str,
    coded: tuple[bytes, bytes],
) -> StoredFile:
    """A file that was just fetched; ``coded`` is its coding and its content in it."""
    return StoredFile(key, kept_fields(head), validators, digest, coded[0], coded[1])
