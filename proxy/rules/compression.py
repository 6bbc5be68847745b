"""Which responses are compressed, with which coding, and what their heads say then.

Compression makes the length of a response depend on its content. Where a secret stands beside what
a stranger can choose, the length tells the secret, a character at a time (BREACH). So there is a
list of what is compressed, and everything else goes as it came:

1. *Static files*: the same octets for everybody, so they hold no secret.
2. *JSON of some APIs*, if the browser attests that Jupyter's own page asked for it
   (``Sec-Fetch-Site: same-origin``, and no navigation): a stranger can then not choose the request.
   Notebooks, settings and lists of files are there, and neither the token nor a cookie is.

Not in the list, and why: HTML (``/lab`` holds the token and the value of ``_xsrf`` beside parts of
the request target), ``/login``, the rest of ``/api``, ``/files`` (downloads, which are continued
with Range), and applications behind Jupyter (``/proxy/``), which nobody here knows.
An event stream has no media type of the list, so it is never held back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from .head import Field, RequestHead, ResponseHead
from .negotiation import quality

CODINGS = (b"zstd", b"br", b"gzip")
"""In the order of preference: by octets for the CPU time that they cost while a client waits."""
MAX_ACCEPT_ENCODING_BYTES = 512
MIN_BYTES = 1024
"""Below, the fields around the content and the round trip are what takes time."""
STATIC_FOLDERS = (
    "static/",
    "lab/extensions/",
    "lab/api/themes/",
    "nbextensions/",
    "kernelspecs/",
)
"""Below base_url: files that are the same for everybody who gets them."""
API_FOLDERS = ("api/contents", "api/kernelspecs", "lab/api/", "lsp/status")
"""Below base_url: JSON without secrets."""

CONTENT_DIGESTS = frozenset({b"content-digest", b"content-md5", b"digest", b"repr-digest"})
"""Fields that hold for the octets in one coding alone (RFC 9530)."""

_JSON = b"application/json"
_TYPES = frozenset(
    {
        _JSON,
        b"application/javascript",
        b"application/manifest+json",
        b"application/vnd.ms-fontobject",
        b"application/wasm",
        b"application/x-javascript",
        b"application/xml",
        b"font/otf",
        b"font/ttf",
        b"image/svg+xml",
        b"image/vnd.microsoft.icon",
        b"image/x-icon",
        b"text/css",
        b"text/javascript",
        b"text/markdown",
        b"text/plain",
        b"text/xml",
    }
)
"""Media types whose content shrinks; the others are compressed already, or not in the list."""


class CompressedHead(NamedTuple):
    """The head of a response whose content may be compressed.

    Attributes:
        coding: With what; None for as it came.
        fields: As they are sent.
    """

    coding: bytes | None
    fields: list[Field]


def compressible_folders(base_path: str) -> tuple[bytes, ...]:
    """How the targets of everything that is ever compressed begin."""
    return _prefixes(base_path, (*STATIC_FOLDERS, *API_FOLDERS))


def compressed_head(
    request: RequestHead, response: ResponseHead, fields: list[Field], base_path: str
) -> CompressedHead:
    """Decide about the content of a response.

    Args:
        request: The client's.
        response: As Jupyter sent it.
        fields: As they would be sent without compression.
        base_path: Jupyter's ``base_url``, with a slash at both ends.
    """
    if response.status == 304:
        compared = _as_compared(request, fields)
        # As the 200 would have it (RFC 9110 section 15.4.5); its media type is not known.
        varies = _is_in_list(request, base_path)
        return CompressedHead(None, varying(compared) if varies else compared)
    if not _is_compressible(request, response, base_path):
        return CompressedHead(None, fields)
    coding = accepted_coding(tuple(request.values(b"accept-encoding")))
    if coding is None or no_transform(request.values(b"cache-control")):
        return CompressedHead(None, varying(fields))
    return CompressedHead(coding, _encoded(fields, coding))


def varying(fields: list[Field]) -> list[Field]:
    """The fields with ``Vary: Accept-Encoding`` (RFC 9110 section 12.5.5)."""
    named = {
        part.strip().lower()
        for name, value in fields
        if name.lower() == b"vary"
        for part in value.split(b",")
    }
    if named & {b"*", b"accept-encoding"}:
        return fields
    return [*fields, (b"Vary", b"Accept-Encoding")]


def accepted_coding(accept_encoding: tuple[bytes, ...]) -> bytes | None:
    """The coding that the client prefers (RFC 9110 section 12.5.3); None for none.

    Args:
        accept_encoding: The values of all Accept-Encoding fields. None is preferred by fields
            that are longer than any browser's.
    """
    return _accepted_coding(accept_encoding) if _is_short(accept_encoding) else None


@lru_cache(maxsize=64)
def _accepted_coding(accept_encoding: tuple[bytes, ...]) -> bytes | None:
    weights = _weights(accept_encoding)
    others = weights.get(b"*", 0.0)
    weight, coding = max(
        ((weights.get(coding, others), coding) for coding in CODINGS), key=lambda pair: pair[0]
    )
    # Without an entry of its own, identity is acceptable, but any other coding is preferred.
    return coding if weight > 0 and weight >= weights.get(b"identity", 0.0) else None


def preferred(codings: Iterable[bytes], request: RequestHead) -> bytes | None:
    """The coding that the client prefers of those that there are; None if it accepts none.

    Any weight above 0 counts. ``*`` does not, because it does not say that the client can decode
    this coding.

    Args:
        codings: With equal weights the first one wins. An empty name means no coding, which every
            client accepts.
        request: The client's.
    """
    accept_encoding = tuple(request.values(b"accept-encoding"))
    weights = _weights(accept_encoding) if _is_short(accept_encoding) else {}
    best, best_weight = None, 0.0
    for coding in codings:
        weight = weights.get(coding, 0.0) if coding else 1.0
        if weight > best_weight:
            best, best_weight = coding, weight
    return best


def no_transform(values: Sequence[bytes]) -> bool:
    """Whether Cache-Control forbids to change the content.

    A response's may (RFC 9111 section 5.2.2.6), and a request's (section 5.2.1.6).
    """
    return any(part.strip().lower() == b"no-transform" for part in b",".join(values).split(b","))


def media_type(response: ResponseHead) -> bytes:
    """The media type in lower case, without its parameters; empty for none."""
    types = response.values(b"content-type")
    return types[0].partition(b";")[0].strip().lower() if len(types) == 1 else b""


def is_static(target: bytes, base_path: str) -> bool:
    """Whether the target is a file that Jupyter gives to everybody."""
    return _is_below(target, base_path, STATIC_FOLDERS)


def is_sized(fields: Sequence[Field]) -> bool:
    """Whether Content-Length is among the fields."""
    return any(name.lower() == b"content-length" for name, _ in fields)


def shrinks(media: bytes) -> bool:
    """Whether content of this media type is worth compressing."""
    return media in _TYPES


def _is_below(target: bytes, base_path: str, folders: tuple[str, ...]) -> bool:
    """Whether the target is in one of the folders, whoever resolves its ``..``."""
    return b".." not in target and target.startswith(_prefixes(base_path, folders))


@lru_cache(maxsize=64)
def _prefixes(base_path: str, folders: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple((base_path + folder).encode() for folder in folders)


def _is_short(values: tuple[bytes, ...]) -> bool:
    """Whether the values may be remembered: clients choose them, and have 64 KiB for them."""
    return sum(map(len, values)) <= MAX_ACCEPT_ENCODING_BYTES


@lru_cache(maxsize=64)
def _weights(accept_encoding: tuple[bytes, ...]) -> dict[bytes, float]:
    weights: dict[bytes, float] = {}
    for entry in b",".join(accept_encoding).lower().split(b","):
        coding, _, parameters = entry.partition(b";")
        weights[coding.strip()] = _weight(parameters)
    return weights


def _weight(parameters: bytes) -> float:
    """Parse a weight (RFC 9110 section 12.4.2): 1 without one, 0 if it is malformed."""
    name, _, value = parameters.strip().partition(b"=")
    if name.strip() != b"q":
        return 1.0
    return quality(value.strip())


def _is_compressible(request: RequestHead, response: ResponseHead, base_path: str) -> bool:
    """Whether some client may get the content compressed.

    A 206 is a part of the octets of one representation, and other statuses have no content of the
    list. The head of a response to HEAD is that of the response to GET.
    """
    if response.status != 200 or request.method not in (b"GET", b"HEAD"):
        return False
    names = response.names
    if b"content-encoding" in names or b"content-range" in names:
        return False
    if b"content-length" in names and int(response.values(b"content-length")[0]) < MIN_BYTES:
        return False
    media = media_type(response)
    if media not in _TYPES or no_transform(response.values(b"cache-control")):
        return False
    if is_static(request.target, base_path):
        return True
    return media == _JSON and _is_in_list(request, base_path)


def _is_in_list(request: RequestHead, base_path: str) -> bool:
    """Whether the target, and who asks for it, are in the list; the media type has to be, too."""
    if is_static(request.target, base_path):
        return True
    return _is_below(request.target, base_path, API_FOLDERS) and _asked_by_own_page(request)


def _asked_by_own_page(request: RequestHead) -> bool:
    site, mode = request.values(b"sec-fetch-site"), request.values(b"sec-fetch-mode")
    return tuple(site) == (b"same-origin",) and tuple(mode) in ((b"cors",), (b"same-origin",))


def _encoded(fields: list[Field], coding: bytes) -> list[Field]:
    """The fields of the compressed content; its length is not known yet."""
    sent: list[Field] = []
    for name, value in fields:
        match name.lower():
            case b"content-length" | b"accept-ranges":
                continue
            case digest if digest in CONTENT_DIGESTS:
                continue
            case b"etag":
                # RFC 9110 section 8.8.1: the octets are others than those that it was made for.
                sent.append((name, _weakened(value)))
            case _:
                sent.append((name, value))
    # A range of these octets could not be continued with Jupyter's (RFC 9110 section 14.3).
    sent += [(b"Content-Encoding", coding), (b"Accept-Ranges", b"none")]
    return varying(sent)


def _weakened(etag: bytes) -> bytes:
    return etag if etag.startswith(b"W/") else b"W/" + etag


def _as_compared(request: RequestHead, fields: list[Field]) -> list[Field]:
    """A 304 names the response that the client has (RFC 9111 section 4.3.4)."""
    known = b",".join(request.values(b"if-none-match"))
    return [
        (name, _weakened(value) if name.lower() == b"etag" and b"W/" + value in known else value)
        for name, value in fields
    ]
