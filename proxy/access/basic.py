"""Parses ``Authorization: Basic`` (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

from proxy.rules.credentials import is_basic

MAX_OCTETS = 1024
"""The limit of a user and of a password; anything longer is not hashed."""


class BasicCredentials(NamedTuple):
    """A user and password that were not checked yet. Never logged, never stored."""

    user: str
    password: bytes


def basic_values(authorization: Sequence[bytes]) -> list[bytes]:
    """The values of Authorization with the scheme Basic."""
    return [value for value in authorization if is_basic(value)]


def parse_basic(values: Sequence[bytes]) -> BasicCredentials | None:
    """Decode the result of ``basic_values``; None if it cannot be valid.

    Not valid are: several values, no base64, no colon, an empty user or password, octets that are
    not UTF-8 (which the challenge requires), control characters (RFC 7617 section 2), and more
    than ``MAX_OCTETS``. The first colon separates; a password may contain colons.
    """
    if len(values) != 1:
        return None
    encoded = values[0][len(b"basic") :].strip()
    try:
        decoded = base64.b64decode(encoded, validate=True)
        text = decoded.decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    if (
        not colon
        or not user
        or not password
        or len(user) > MAX_OCTETS
        or len(password) > MAX_OCTETS
    ):
        return None
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text):
        return None
    return BasicCredentials(user.decode("utf-8"), password)
