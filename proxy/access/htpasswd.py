"""The htpasswd file: users and their password hashes, reloaded when it changes."""

from __future__ import annotations

import logging
import os
import re
import stat
import warnings
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any

from proxy.errors import StartError

log = logging.getLogger("labgate")

CHECK_INTERVAL_SECONDS = 1.0
MAX_FILE_BYTES = 1 << 20
BCRYPT_OCTETS = 72
"""bcrypt uses no more octets of a password; Apache's htpasswd truncates it, and so does labgate."""

MAX_BCRYPT_LOG2_ROUNDS = 16
MAX_ARGON2_KIB = 1 << 20
MAX_ARGON2_PASSES = 64
"""With higher costs one login would take many seconds, or all of the memory."""

CREDENTIALS = Path("/run/credentials")
"""Where systemd has a folder for each unit that runs (systemd.exec(5), LoadCredential=)."""

_REMEDY = "make the line with `labgate password --htpasswd USER`"
_BCRYPT = re.compile(r"\$2[aby]\$")
_ARGON2 = re.compile(r"\$argon2(id|i|d)\$")


class Htpasswd:
    """The users who may log in.

    Only a valid file replaces the users. While it is malformed, empty or missing, the previous
    users remain.

    Attributes:
        users: Names and their hashes; replaced as a whole.
        next_check: The monotonic time of the next check for changes.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            StartError: It cannot be read, or has a line that no login could match.
        """
        self._path = path
        self.users, self._loaded_signature = _load(path)
        self.next_check = monotonic() + CHECK_INTERVAL_SECONDS

    def reload_if_changed(self) -> None:
        """Reload the file if it changed; calls ``stat`` at most once a second."""
        now = monotonic()
        if now < self.next_check:
            return
        self.next_check = now + CHECK_INTERVAL_SECONDS
        signature = _signature(self._path)
        if signature == self._loaded_signature:
            return
        try:
            self.users, self._loaded_signature = _load(self._path)
        except StartError as error:
            self._loaded_signature = signature
            log.warning("%s Until then the users from before get in.", error)
        else:
            log.info("%s: %d user(s) from now on", self._path, len(self.users))


def parse_htpasswd(text: str, path: Path) -> Mapping[str, str]:
    """Parse lines of ``USER:HASH``, with an optional ``:COMMENT``; ``#`` begins a comment.

    Raises:
        StartError: Names file and line, and what to do. It never quotes a hash, which may be
            a password by mistake.
    """
    users: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        user, colon, rest = entry.partition(":")
        hashed = rest.partition(":")[0]
        if not colon:
            problem = f"this is not USER:HASH; {_REMEDY}"
        else:
            problem = problem_with_user(user) or problem_with_hash(hashed)
        if not problem and user in users:
            problem = f"{user} is on line {lines[user]} already; remove one of the two"
        if problem:
            raise StartError(f"{path}:{number}: {problem}.")
        users[user], lines[user] = hashed, number
    if not users:
        raise StartError(
            f"{path} (access.htpasswd) holds no user, so nobody could get in. "
            f"Add one: labgate password --htpasswd USER >> {path}"
        )
    return MappingProxyType(users)


def problem_with_user(user: str) -> str:
    """Why nobody could log in with this name; empty if it is valid."""
    if not user:
        return "the user's name is empty; write USER:HASH"
    if ":" in user or user.startswith("#") or user != user.strip():
        return "a user's name has no colon, no spaces around it and no # in front"
    if not user.isprintable():
        return "the user's name has control characters; remove them"
    return ""


def problem_with_hash(hashed: str) -> str:
    """Why ``hashed`` is malformed or too expensive to check; empty if it is valid."""
    handler = handler_of(hashed)
    if handler is None:
        return f"only bcrypt, argon2 and apr1 hashes are taken, this is none of them; {_REMEDY}"
    from passlib.exc import PasslibHashWarning  # noqa: PLC0415  only where there is a file

    try:
        with warnings.catch_warnings():
            # The warning says that padding bits are set, which no bcrypt implementation does.
            warnings.simplefilter("error", PasslibHashWarning)
            parsed = handler.from_string(hashed)
            # Load the backend now; at the first login several threads might load it.
            backend = getattr(handler, "get_backend", None)
            if backend is not None:
                backend()
    except (ValueError, TypeError, PasslibHashWarning):
        return f"the {handler.name} hash is damaged or cut off; {_REMEDY}"
    if parsed.checksum is None:
        return f"the {handler.name} hash is damaged or cut off; {_REMEDY}"
    too_slow = (
        parsed.rounds > MAX_BCRYPT_LOG2_ROUNDS
        if handler.name == "bcrypt"
        else handler.name == "argon2"
        and (parsed.memory_cost > MAX_ARGON2_KIB or parsed.rounds > MAX_ARGON2_PASSES)
    )
    return f"checking this {handler.name} hash would take too long; {_REMEDY}" if too_slow else ""


def handler_of(hashed: str) -> Any:
    """Passlib's handler for a hash; None for algorithms that labgate does not accept."""
    from passlib import hash as known  # noqa: PLC0415  only where there is a file

    if _BCRYPT.match(hashed):
        return known.bcrypt
    if _ARGON2.match(hashed):
        return known.argon2
    return known.apr_md5_crypt if hashed.startswith("$apr1$") else None


def matches(password: bytes, hashed: str) -> bool:
    """Whether the password is right. Blocks for up to a second: call it in a thread."""
    handler = handler_of(hashed)
    if handler.name == "bcrypt":
        password = password[:BCRYPT_OCTETS]
    return bool(handler.verify(password, hashed))


Signature = tuple[int, ...]


def _signature(path: Path) -> Signature:
    try:
        return _signed(path.stat())
    except OSError:
        return ()


def _signed(status: os.stat_result) -> Signature:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _load(path: Path) -> tuple[Mapping[str, str], Signature]:
    try:
        with path.open("rb") as file:
            # Before reading: the next check then notices a change during the read.
            status = os.fstat(file.fileno())
            data = file.read(MAX_FILE_BYTES + 1) if stat.S_ISREG(status.st_mode) else None
    except OSError as error:
        remedy = f"Make one: labgate password --htpasswd USER >> {path}"
        if path.is_relative_to(CREDENTIALS):
            remedy = f"systemd provides it if the unit has a line LoadCredential={path.name}:FILE."
        raise StartError(
            f"The htpasswd file {path} (access.htpasswd) cannot be read: {error.strerror}. {remedy}"
        ) from None
    if data is None or len(data) > MAX_FILE_BYTES:
        raise StartError(f"{path} (access.htpasswd) is no file of less than a MiB; name another.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise StartError(f"{path}:{line}: this is not UTF-8; {_REMEDY}.") from None
    users = parse_htpasswd(text, path)
    if status.st_mode & stat.S_IROTH:
        log.warning("%s is readable by everybody on this machine: chmod o-r %s", path, path)
    return users, _signed(status)
