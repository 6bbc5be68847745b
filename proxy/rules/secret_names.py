"""Decides by name whether a header field or a query parameter holds a secret.

Tested by tests/rules/test_redaction.py and tests/rules/test_planted_secrets.py.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_WORDS = (
    *(b"token", b"key", b"secret", b"auth", b"cookie", b"passw", b"passphrase", b"pwd"),
    *(b"credential", b"session", b"jwt", b"csrf", b"xsrf", b"signature"),
)
_EXACTLY = frozenset({b"code", b"pass", b"sig"})
"""Parameters of OAuth (RFC 6749 section 4.1.2) and of signed URLs."""

NO_SECRETS = frozenset(
    {
        b"access-control-allow-credentials",  # true, or absent
        b"proxy-authenticate",  # a challenge, for everybody
        b"sec-websocket-key",  # a nonce; Jupyter refuses handshakes for it (RFC 6455)
        b"www-authenticate",
    }
)
"""Fields whose names match, but whose values are not secret."""

SCHEMES = frozenset({b"basic", b"bearer", b"digest", b"negotiate", b"token"})
"""Schemes of Authorization that are shown; any other first word might be the secret."""

SUBPROTOCOLS = frozenset(
    {
        b"base64",
        b"binary",
        b"graphql-transport-ws",
        b"graphql-ws",
        b"jsonrpc",
        b"lsp",
        b"mqtt",
        b"tty",
        b"v1.kernel.websocket.jupyter.org",
        b"v1.token.websocket.jupyter.org",
        b"wamp.2.json",
    }
)
"""Names in Sec-WebSocket-Protocol that are shown; other values may be tokens of a browser."""

_MAX_ENCODINGS = 5
_MAX_NAME_OCTETS = 256


_ANY_WORD = re.compile(b"|".join((*_WORDS, *_EXACTLY)), re.IGNORECASE)


def may_hold_secrets(text: bytes) -> bool:
    """Whether text without percent-encoding could have a secret parameter: a quick look."""
    return len(text) > _MAX_NAME_OCTETS or _ANY_WORD.search(text) is not None


def is_secret_field(name: bytes) -> bool:
    """Whether the value of a field (lower-case name) is secret."""
    return name not in NO_SECRETS and is_secret_parameter(name)


def is_secret_parameter(name: bytes) -> bool:
    """Whether the value of a query parameter is secret, however its name is encoded.

    Jupyter decodes names once (tornado ``parse_qs_bytes``); a URL inside a URL is encoded again.
    Names of more than ``_MAX_NAME_OCTETS`` count as secret.
    """
    return len(name) > _MAX_NAME_OCTETS or _names_a_secret(name)


@lru_cache(4096)
def _names_a_secret(name: bytes) -> bool:
    for _ in range(_MAX_ENCODINGS):
        decoded = unquote_to_bytes(name.replace(b"+", b" "))
        if decoded == name:
            break
        name = decoded
    plain = name.strip().lower()
    return plain in _EXACTLY or any(word in plain for word in _WORDS)
