"""Checks and makes the password hashes that Jupyter accepts.

Jupyter checks a hash only at a login, and even a malformed hash disables the token: then nobody
can log in, and no message says why. So labgate checks it at the start.
"""

from __future__ import annotations

import hashlib
import re

REMEDY = "make one with `labgate password`"

_HEX = re.compile(r"[0-9a-f]+")


def problem_with_jupyter_hash(value: str) -> str:
    """Why Jupyter would not accept ``value`` as a password hash; empty if it does.

    A clause without a full stop that says what to do. It never quotes the value, which may be a
    password by mistake.
    """
    if value != value.strip():
        return f"the password hash has spaces around it; {REMEDY}"
    if value.startswith("$argon2"):
        return f"Jupyter's argon2 hashes begin with `argon2:`; put that in front, or {REMEDY}"
    algorithm, separator, rest = value.partition(":")
    if not separator:
        return f"this is not a password hash (a plain password is not taken); {REMEDY}"
    if algorithm == "argon2":
        return _problem_with_argon2(rest)
    return _problem_with_digest(algorithm, rest)


def hash_passphrase(passphrase: str) -> str:
    """Hash as ``jupyter_server.auth.security.passwd`` does."""
    from argon2 import PasswordHasher  # noqa: PLC0415  proxying never needs it

    hasher = PasswordHasher(memory_cost=10240, time_cost=10, parallelism=8)
    return f"argon2:{hasher.hash(passphrase)}"


def _problem_with_argon2(encoded: str) -> str:
    from argon2 import PasswordHasher  # noqa: PLC0415
    from argon2.exceptions import (  # noqa: PLC0415
        InvalidHashError,
        VerificationError,
        VerifyMismatchError,
    )

    try:
        # As Jupyter does at a login; only the library knows everything that can be wrong.
        PasswordHasher().verify(encoded, "")
    except VerifyMismatchError:
        return ""
    except (InvalidHashError, VerificationError, UnicodeEncodeError):
        return f"this argon2 hash is damaged or cut off; {REMEDY}"
    return f"this is the hash of an empty passphrase; {REMEDY}"


def _problem_with_digest(algorithm: str, rest: str) -> str:
    salt, separator, digest = rest.partition(":")
    try:
        digits = hashlib.new(algorithm, usedforsecurity=False).digest_size * 2
    except ValueError:
        digits = 0
    if not digits or not separator:
        return f"a hash reads argon2:… or ALGORITHM:SALT:HEX with an algorithm of hashlib; {REMEDY}"
    if not salt.isascii():
        return f"the hash's salt is not ASCII; {REMEDY}"
    if not digest:
        return f"the hash has no digest after its salt; {REMEDY}"
    if digest != digest.lower() and _HEX.fullmatch(digest.lower()):
        return f"the hash's digest has to be in lower case; write it so, or {REMEDY}"
    if not _HEX.fullmatch(digest) or len(digest) != digits:
        return f"a {algorithm} digest has {digits} hexadecimal digits, this one has not; {REMEDY}"
    return ""
