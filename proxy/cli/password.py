"""``labgate password``: reads a passphrase, prints the hash for Jupyter or for an htpasswd file."""

from __future__ import annotations

import getpass
import sys

from proxy.access.htpasswd import BCRYPT_OCTETS, problem_with_user
from proxy.config.password_hash import hash_passphrase
from proxy.errors import StartError, UsageError


def password(user: str | None = None) -> int:
    """Ask twice on a terminal, read once from a pipe; print only the hash to standard output.

    With ``user`` it prints a line of an htpasswd file.

    Raises:
        StartError: The passphrase is empty, unusable, or differs from its repetition.
        UsageError: ``user`` is not valid in an htpasswd file.
    """
    if user is not None and (problem := problem_with_user(user)):
        raise UsageError(f"--htpasswd {user!r}: {problem}.")
    if sys.stdin.isatty():
        passphrase = getpass.getpass("Passphrase: ")
        if passphrase != getpass.getpass("Again: "):
            raise StartError("The two passphrases differ; run `labgate password` again.")
    else:
        passphrase = sys.stdin.readline().rstrip("\n")
    if not passphrase:
        raise StartError("An empty passphrase lets everybody in; choose another.")
    print(hash_passphrase(passphrase) if user is None else htpasswd_line(user, passphrase))
    return 0


def htpasswd_line(user: str, passphrase: str) -> str:
    """``USER:$2b$…``.

    bcrypt and not argon2: Apache and nginx can read the same file, and a flood of logins
    costs labgate no memory (argon2 takes 64 MiB for each that is checked).

    Raises:
        StartError: A browser could not send this passphrase, or bcrypt would cut it off.
    """
    from passlib.hash import bcrypt  # noqa: PLC0415  Jupyter's hash does not need it

    if not passphrase.isprintable():
        raise StartError("The passphrase has control characters, which browsers do not send.")
    if len(passphrase.encode("utf-8")) > BCRYPT_OCTETS:
        raise StartError(
            f"bcrypt cuts a passphrase off after {BCRYPT_OCTETS} bytes; choose a shorter one."
        )
    return f"{user}:{bcrypt.hash(passphrase)}"
