"""User and password out of ``Authorization: Basic`` (RFC 7617)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import NamedTuple

from proxy.rules.credentials import is_basic

MAX_OCTETS = 1024
"""Octets of a user and of a password; what is longer is not even hashed."""


class Credentials(NamedTuple):
    """What somebody claims to be. Never logged, never kept."""

    user: str
    password: bytes


def basic_values(authorization: Sequence[bytes]) -> list[bytes]:
    """The values of Authorization that are meant for labgate."""
    return [value for value in authorization if is_basic(value)]


def parse(values: Sequence[bytes]) -> Credentials | None:
    """Decode what ``basic_values`` found; None for what no password could ever be right for.

    That is: more than one, no base64, no colon, an empty user or password, octets that are
    not UTF-8 (which the challenge asks for), control characters (RFC 7617 section 2), and
    what is too long. The first colon separates, so a password may contain some.
    """
    if len(values) != 1:
        return None
    encoded = values[0][len(b"basic") :].strip(b" \t")
    if len(encoded) > 4 * MAX_OCTETS:
        return None
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
    return Credentials(user.decode("utf-8"), password)
