"""One ``labgate up`` for a state folder, and one for a container of an engine.

A second one would replace the container under the first, and write over its files. The
operating system holds a claim, and gives it up however the process ends; so nothing has to be
cleaned up after a SIGKILL.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import pwd
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from proxy.errors import StartError
from proxy.runtime.secret_files import make_private_folder

log = logging.getLogger("labgate")

ABSTRACT = sys.platform == "linux"
"""Linux has socket names beside the file system (unix(7)): every user and every service with
its own /tmp sees the same, and nobody can leave one behind."""

_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class HeldClaim(Protocol):
    """A claim, until it is closed or the process ends."""

    def close(self) -> None:
        """Give it up."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What only one process may have.

    Attributes:
        place: A lock file, or the name of an abstract socket.
        subject: What the process that has it runs with, for people.
        mend: What else to do than to stop that one.
    """

    place: Path | str
    subject: str
    mend: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that has a claim; what is not known is 0, None or empty."""

    pid: int = 0
    since: datetime | None = None
    user: str = ""

    def __str__(self) -> str:
        said = f"process {self.pid}" if self.pid else "another process"
        if self.user:
            said += f" of {self.user}"
        if self.since is not None:
            said += f", since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"
        return said


def folder_claim(state_folder: Path) -> Claim:
    """For everything that is kept in a state folder."""
    return Claim(
        state_folder / "up.lock",
        f"the state folder {state_folder}",
        "give this one a folder of its own with state.folder (LABGATE_STATE__FOLDER)",
    )


def container_claim(engine: str, name: str, *, abstract: bool = ABSTRACT) -> Claim:
    """For a container, whichever state folder and user it is started from.

    Whoever may run programs on the machine can take the socket's name first, as they can a
    port: a refusal, which names the process, and no more.

    Without abstract sockets it is for this user's processes only: on a Mac every user has an
    engine of his own. Two machines with one engine do not see each other's claims.

    Args:
        engine: Its address, the same for everybody who means the same engine.
        name: Of the container.
        abstract: Whether the system has abstract sockets.
    """
    digest = hashlib.sha256(f"{engine}\n{name}".encode()).hexdigest()[:32]
    home = Path.home() / ".local" / "state" / "labgate"
    return Claim(
        f"labgate/container/{digest}" if abstract else home / f"container-{digest}.lock",
        f"the container {name}",
        "give this one a container of its own with --name",
    )


def acquire(claim: Claim) -> HeldClaim:
    """Have it from now on; the one place where a claim changes hands.

    Raises:
        StartError: Another process has it, or the lock file cannot be made.
    """
    taken = _bind_socket(claim.place) if isinstance(claim.place, str) else _lock_file(claim.place)
    if not isinstance(taken, Owner):
        return taken
    raise StartError(
        f"Already running as {taken}, with {claim.subject}. Stop that one first, or {claim.mend}."
    )


def _lock_file(path: Path) -> HeldClaim | Owner:
    """Lock a file with flock(2), and write into it who has it.

    Raises:
        StartError: It cannot be made.
    """
    try:
        make_private_folder(path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.fdopen(os.open(path, flags, 0o600), "r+", encoding="utf-8")
    except OSError as error:
        raise StartError(
            f"{path} cannot be written: {error.strerror}. Make its folder writable, or name "
            "another with state.folder (LABGATE_STATE__FOLDER)."
        ) from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with file:
            return _owner_in(file.read())
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        log.warning("%s: %s; nothing keeps a second labgate out", path, error.strerror)
    # A full disk is no reason not to start: what is missing then is who has the lock.
    with suppress(OSError):
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "since": _now()}) + "\n")
        file.flush()
    return file


def _owner_in(content: str) -> Owner:
    try:
        told = json.loads(content)
        return Owner(int(told["pid"]), datetime.fromisoformat(told["since"]))
    except (ValueError, KeyError, TypeError):
        return Owner()  # it has had no time to write it


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _bind_socket(name: str) -> HeldClaim | Owner:
    """Take the name of an abstract socket; the kernel tells of whom it is."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0{name}")
        held.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            held.close()
            return _owner_of_socket(name)
        log.warning("socket @%s: %s; nothing keeps a second labgate out", name, error.strerror)
    return held


def _owner_of_socket(name: str) -> Owner:
    owner = Owner()
    if sys.platform == "linux":
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            # It does not accept; a full queue must not hold us up.
            asking.setblocking(False)
            asking.connect(f"\0{name}")
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            pid, uid, _ = struct.unpack("3i", credentials)
            owner = Owner(pid, _started(pid), _user(uid))
    return owner


def _started(pid: int) -> datetime | None:
    """When a process was started (proc_pid_stat(5), field 22; proc_stat(5), btime)."""
    with suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[19])
        lines = Path("/proc/stat").read_text().splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
        return datetime.fromtimestamp(booted + ticks / os.sysconf("SC_CLK_TCK"), UTC)
    return None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
