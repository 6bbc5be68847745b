"""Which responses are kept, whether they still hold, and what is answered from them (RFC 9111).

Kept are static files alone, as Jupyter gives them to somebody without credentials, and only those
that say that they do not change: ``immutable``, or a long life for a target with ``?v=`` (what
jupyter_server's ``static_url`` makes of a file's content).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from .compression import CONTENT_DIGESTS, MIN_BYTES, is_static, media_type, no_transform, shrinks
from .head import Field, RequestHead, ResponseHead
from .hop_by_hop import hop_by_hop_names

MIN_LIFE_SECONDS = 86_400
"""A response to ``?v=`` that claims less is not kept; tornado claims ten years."""
MAX_CACHED_FILE_BYTES = 8 * 1024 * 1024

_NAME = re.compile(rb"(?:/(?!\.)[^/?#%]+)+(?:\?v=[0-9a-fA-F]{1,128})?")
"""Of a file below the base path: without segments that are empty or begin with a dot (Jupyter shows
no hidden files), and in no other octets than Jupyter's pages write it."""
_CONTENT_HASH = re.compile(rb"(?:[.\-/_]|\?v=)[0-9a-f]{16,128}(?:[.?]|\Z)")
_HASHES_OF_NAME = re.compile(rb"[.\-/_]([0-9a-f]{16,128})(?=[.]|\Z)")
_MAX_AGE = re.compile(r"max-age=\"?(\d{1,10})\"?\Z")
_NEW = frozenset({b"accept-ranges", b"content-length", b"date", b"etag", b"vary"})
"""Fields of Jupyter's response that are made anew."""
_IN_304 = frozenset(
    {
        b"age",
        b"cache-control",
        b"content-location",
        b"date",
        b"etag",
        b"expires",
        b"last-modified",
        b"strict-transport-security",
        b"vary",
    }
)
"""RFC 9110 section 15.4.5. Age is among them because the 304 comes from the cache."""
_NOT_TO_KEEP = frozenset(
    {
        b"age",
        b"content-encoding",
        b"content-range",
        b"set-cookie",
        b"vary",
        b"www-authenticate",
    }
)
"""Fields of no response that is kept. Age means that another cache has answered, and that cache
would answer the later checks, too."""


class Validators(NamedTuple):
    """What must stay the same, as text of the field; empty for none."""

    last_modified: bytes
    etag: bytes
    length: bytes
    media: bytes
    cache_control: bytes


def validators_of(response: ResponseHead) -> Validators:
    """What the head of a response to GET or HEAD says of its content."""
    names = (b"last-modified", b"etag", b"content-length", b"content-type", b"cache-control")
    return Validators(*(b", ".join(response.values(name)) for name in names))


def may_be_kept(target: bytes, response: ResponseHead, base_path: str) -> bool:
    """Whether the response to a GET for ``target`` without credentials may be kept.

    Every condition is positive: a static file, a life of its own, nothing about one client.
    """
    if response.status != 200 or not is_static(target, base_path):
        return False
    # From the base path's last slash on: what stands before it is the same for all.
    if _NAME.fullmatch(target, len(base_path.encode()) - 1) is None:
        # Another query may mean anything, and a stranger can write as many as they like.
        return False
    if not _NOT_TO_KEEP.isdisjoint(response.names):
        return False
    if media_type(response) in (b"", b"text/html"):
        return False
    lengths = response.values(b"content-length")
    if len(lengths) != 1 or not 0 < int(lengths[0]) <= MAX_CACHED_FILE_BYTES:
        return False
    return _lives_long(target, response)


def may_be_compressed(validators: Validators) -> bool:
    """Whether a file may be kept in a content coding, and is worth it."""
    if int(validators.length) < MIN_BYTES or no_transform((validators.cache_control,)):
        return False
    return shrinks(validators.media.partition(b";")[0].strip().lower())


def is_page(response: ResponseHead) -> bool:
    """Whether the response is a page of HTML."""
    return media_type(response) == b"text/html"


def is_script(media: bytes) -> bool:
    """Whether a Content-Type says that the content is JavaScript."""
    return media.partition(b";")[0].strip().lower().endswith(b"/javascript")


def head_bytes(fields: Sequence[Field]) -> int:
    """What a response's head takes in HTTP/1.1, with its status line and the empty line."""
    lines = sum(len(name) + len(b": \r\n") + len(value) for name, value in fields)
    return len(b"HTTP/1.1 200 OK\r\n\r\n") + lines


def has_content_hash(target: bytes) -> bool:
    """Whether the file's name changes with its content, so that one name means one content."""
    return _CONTENT_HASH.search(target) is not None


def is_version_of(target: bytes, content: bytes) -> bool:
    """Whether the value of ``?v=`` is one that Jupyter writes for this content; no query is fine.

    Jupyter answers to any value, so that anybody can make up as many names of a file as they like.
    Webpack repeats the hash that is in the file's name, and tornado's ``static_url`` takes the
    SHA-512 of the content.
    """
    path, _, version = target.partition(b"?v=")
    if not version or is_named_by(path, version):
        return True
    return version.lower() == hashlib.sha512(content).hexdigest().encode("ascii")


def is_named_by(path: bytes, version: bytes) -> bool:
    """Whether the value of ``?v=`` is the hash in the file's name."""
    return version in _HASHES_OF_NAME.findall(path)


def may_answer(request: RequestHead) -> bool:
    """Whether a response that is kept may answer the request.

    Not if the client wants it from Jupyter itself (RFC 9111 section 5.2.1), as a browser does
    after Shift and Reload, and not if it wants a part.

    ``only-if-cached`` is answered from the cache, too. If the file is not there, the request goes
    to Jupyter instead of getting a 504: to clients, labgate and Jupyter are one server, and section
    5.2.1.7 leaves that to the cache.
    """
    if request.method not in (b"GET", b"HEAD"):
        return False
    index = request.section.index
    if not index.keys().isdisjoint((b"range", b"pragma")):
        return False
    directives = index.get(b"cache-control")
    return directives is None or [one.strip().lower() for one in directives] == [b"only-if-cached"]


def kept_fields(response: ResponseHead) -> tuple[Field, ...]:
    """Those of Jupyter's fields that belong to the content, in whatever coding it is sent."""
    dropped = _NEW | CONTENT_DIGESTS | hop_by_hop_names(response.values(b"connection"))
    pairs = zip(response.names, response.fields, strict=True)
    return tuple(field for name, field in pairs if name not in dropped)


def is_not_modified(request: RequestHead, etag: bytes, last_modified: bytes) -> bool:
    """Whether the client has this response already (RFC 9110 section 13.2.2).

    Args:
        request: The client's.
        etag: Of the response that it would get.
        last_modified: That response's; empty for none.
    """
    known = request.values(b"if-none-match")
    if known:
        tags = {tag.strip().removeprefix(b"W/") for tag in b",".join(known).split(b",")}
        return etag in tags or b"*" in tags
    since = request.values(b"if-modified-since")
    # Equal, not later: after a downgrade the file is older than what the client has.
    return bool(last_modified) and tuple(since) == (last_modified,)


def fields_of_304(fields: list[Field]) -> list[Field]:
    """The fields that the response with 304 has in common with the one with 200."""
    return [field for field in fields if field[0].lower() in _IN_304]


def _lives_long(target: bytes, response: ResponseHead) -> bool:
    text = ",".join(value.decode("latin-1") for value in response.values(b"cache-control"))
    directives = {part.strip().lower() for part in text.split(",")}
    # Also with names of fields, or for shared caches alone (RFC 9111 section 5.2.2).
    names = {part.partition("=")[0] for part in directives}
    if names & {"no-store", "private", "no-cache", "s-maxage"}:
        return False
    ages = [int(found[1]) for part in directives if (found := _MAX_AGE.match(part))]
    if len(ages) != 1 or ages[0] < MIN_LIFE_SECONDS:
        return False
    return "immutable" in directives or b"?v=" in target
