"""Content as it may be shown: text only, bounded, secrets redacted."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import zlib
from collections.abc import Container
from typing import Any

import brotli  # type: ignore[import-untyped]

from proxy.inspector.json_secrets import is_secret_name, without_json_secrets
from proxy.rules.redaction import REDACTED, redact_target

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

MAX_CAPTURED_BYTES = 32 * 1024
MAX_ZSTD_WINDOW = 23
"""8 MiB, as in browsers (RFC 9659): a frame must not choose how much memory it takes."""

_TEXT_TYPES = re.compile(
    r"text/|application/(?:[\w.+-]+\+)?(?:json|xml|javascript)|application/x-www-form-urlencoded",
    re.IGNORECASE,
)
_FORM = "application/x-www-form-urlencoded"
_INPUT = re.compile(r"<(?:input|meta)\b[^>]*>?", re.IGNORECASE)
_NAME = re.compile(r"""\bname\s*=\s*["']?([^\s"'>]+)""", re.IGNORECASE)
_VALUE = re.compile(r"""(\b(?:value|content)\s*=\s*)("[^"]*"?|'[^']*'?|[^\s"'>]+)""", re.IGNORECASE)
# JupyterLab's pages have the token as data-jupyter-api-token. A run of name characters is read
# once, from its beginning.
_ATTRIBUTE = re.compile(
    r"""(?<![\w:.-])([\w:.-]++)(\s*+=\s*+)("[^"]*+"?|'[^']*+'?|[^\s"'>]++)""", re.IGNORECASE
)
_HIDDEN = REDACTED.decode("ascii")


def is_text(content_type: str) -> bool:
    """Whether content of this media type is shown."""
    return _TEXT_TYPES.match(content_type.strip()) is not None


def decode(
    data: bytes, coding: str, max_bytes: int = MAX_CAPTURED_BYTES
) -> tuple[bytes, bool] | None:
    """Undo a content coding.

    Args:
        data: The first bytes of the content.
        coding: Content-Encoding's value; empty for none.
        max_bytes: How much is decoded.

    Returns:
        The first decoded bytes and whether there were more; None for a coding that is not known.
    """
    match coding.strip().lower():
        case "" | "identity":
            return data[:max_bytes], len(data) > max_bytes
        case "gzip" | "x-gzip" | "deflate":
            window = zlib.decompressobj(zlib.MAX_WBITS | 32)
            try:
                decoded = window.decompress(data, max_bytes)
            except zlib.error:
                return None
            return decoded, not window.eof
        case "br":
            return _decode_brotli(data, max_bytes)
        case "zstd":
            return _decode_zstd(data, max_bytes)
        case _:
            return None


def _decode_brotli(data: bytes, max_bytes: int) -> tuple[bytes, bool] | None:
    decoder = brotli.Decompressor()
    try:
        decoded: bytes = decoder.process(data, output_buffer_limit=max_bytes)
    except brotli.error:
        return None
    return decoded[:max_bytes], len(decoded) > max_bytes or not decoder.is_finished()


def _decode_zstd(data: bytes, max_bytes: int) -> tuple[bytes, bool] | None:
    decoder = ZstdDecompressor(options={DecompressionParameter.window_log_max: MAX_ZSTD_WINDOW})
    try:
        decoded = decoder.decompress(data, max_bytes)
    except ZstdError:
        return None
    return decoded, not decoder.eof


def redacted_text(
    data: bytes, content_type: str, *, whole: bool, public: Container[str] = ()
) -> str:
    """The content as text, without the secrets in its forms, JSON, HTML and addresses.

    Args:
        data: Decoded content, or its beginning.
        content_type: Its media type.
        whole: Whether ``data`` is all of it.
        public: Names in JSON that sound like secrets and hold none.
    """
    if content_type.lower().startswith(_FORM):
        # As a query it is redacted by the same names.
        return redact_target(b"?" + data)[1:].decode("utf-8", "replace")
    text = data.decode("utf-8", "replace")
    if whole and "json" in content_type.lower():
        with contextlib.suppress(ValueError, RecursionError):
            text = json.dumps(
                _without_secrets(json.loads(text), public), ensure_ascii=False, indent=1
            )
    text = _INPUT.sub(_input, without_json_secrets(text, public))
    if "html" in content_type.lower():
        text = _ATTRIBUTE.sub(_attribute, text)
    return redact_target(text.encode("utf-8", "replace")).decode("utf-8", "replace")


def _without_secrets(value: Any, public: Container[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _HIDDEN
            if one and key not in public and is_secret_name(key)
            else _without_secrets(one, public)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(one, public) for one in value]
    return value


def _input(found: re.Match[str]) -> str:
    named = _NAME.search(found[0])
    if named is None or not is_secret_name(named[1]):
        return found[0]
    return _VALUE.sub(rf'\1"{_HIDDEN}"', found[0])


def _attribute(found: re.Match[str]) -> str:
    name, equals, _ = found.groups()
    return f'{name}{equals}"{_HIDDEN}"' if is_secret_name(name) else found[0]
