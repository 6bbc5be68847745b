"""Locks that allow one process for a state folder, a container, or a Hub's file of routes.

A second one would replace the container of the first, and overwrite its files. The operating
system releases the locks when the process exits, even after SIGKILL.
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
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TextIO

from proxy.errors import StartError
from proxy.runtime.peer import peer_of
from proxy.runtime.secret_files import make_private_folder

log = logging.getLogger("labgate")

ABSTRACT = sys.platform == "linux"
"""Linux has abstract socket names outside of the file system (unix(7)): all users and services
see the same names, and a name disappears with its process."""

_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class HeldClaim(Protocol):
    """A claim that is held until ``close`` or the exit of the process."""

    def close(self) -> None:
        """Release the claim, unless another process shares it."""

    def fileno(self) -> int:
        """The descriptor that holds it; a process that is given it shares the claim."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A resource that only one process may use.

    Attributes:
        place: A lock file, or the name of an abstract socket.
        subject: The resource, for error messages.
        remedy: What to do instead of stopping the other process.
    """

    place: Path | str
    subject: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a claim; unknown values are 0, None or empty."""

    pid: int = 0
    since: datetime | None = None
    user: str = ""

    def __str__(self) -> str:
        text = f"process {self.pid}" if self.pid else "another process"
        if self.user:
            text += f" of {self.user}"
        if self.since is not None:
            text += f", since {self.since.astimezone():%Y-%m-%d %H:%M:%S}"
        return text


def folder_claim(state_folder: Path) -> Claim:
    """The claim for a state folder."""
    return Claim(
        state_folder / "up.lock",
        f"the state folder {state_folder}",
        "give this one a folder of its own with state.folder (LABGATE_STATE__FOLDER)",
    )


def container_claim(engine: str, name: str, *, abstract: bool = ABSTRACT) -> Claim:
    """The claim for a container, independent of the state folder and the user.

    Any user of the machine could take the socket's name first, like a port. Then the start fails,
    and the error names that process.

    Without abstract sockets the claim covers this user's processes only: on a Mac every user has
    their own engine. Two machines with one engine do not see each other's claims.

    Args:
        engine: The engine's address; the same for all processes that use the engine.
        name: The container's name.
        abstract: Whether the system has abstract sockets.
    """
    digest = hashlib.sha256(f"{engine}\n{name}".encode()).hexdigest()[:32]
    home = Path.home() / ".local" / "state" / "labgate"
    return Claim(
        f"labgate/container/{digest}" if abstract else home / f"container-{digest}.lock",
        f"the container {name}",
        "give this one a container of its own with --name",
    )


def storage_claim(storage: Path) -> Claim:
    """The claim for the file that ``labgate hub --storage`` keeps its routes in."""
    return Claim(
        Path(f"{storage}.lock"),
        f"the routes in {storage}",
        "give this one a file of its own with --storage",
    )


def acquire(claim: Claim, shared: Mapping[str, int] = MappingProxyType({})) -> HeldClaim:
    """Acquire a claim.

    Args:
        claim: For a resource.
        shared: Descriptors of claims that another process shares with this one, by their place.

    Raises:
        StartError: Another process holds it, or the lock file cannot be created.
    """
    if (descriptor := shared.get(str(claim.place))) is not None:
        return _take_shared(claim.place, descriptor)
    taken = _bind_socket(claim.place) if isinstance(claim.place, str) else _lock_file(claim)
    if not isinstance(taken, Owner):
        return taken
    raise StartError(already_running(claim, taken))


def owner_of(claim: Claim) -> Owner | None:
    """The process that holds a claim; None if there is none or it is unknown. Changes nothing."""
    if isinstance(claim.place, str):
        return _owner_of_socket(claim.place)
    with suppress(OSError), claim.place.open(encoding="utf-8", errors="replace") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _owner_in(file.read())
    return None


def already_running(claim: Claim, owner: Owner) -> str:
    """Why a claim cannot be acquired, and what to do."""
    return (
        f"Already running as {owner}, with {claim.subject}. Stop that one first, or {claim.remedy}."
    )


def _lock_file(claim: Claim) -> HeldClaim | Owner:
    """Lock the file of a claim with flock(2), and write this process's id into it.

    Raises:
        StartError: The file cannot be created.
    """
    path = Path(claim.place)
    try:
        make_private_folder(path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.fdopen(os.open(path, flags, 0o600), "r+", encoding="utf-8")
    except OSError as error:
        raise StartError(
            f"{path} cannot be written: {error.strerror}. Make its folder writable, or "
            f"{claim.remedy}."
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
    _write_owner(file)
    return file


def _take_shared(place: Path | str, descriptor: int) -> HeldClaim:
    """Hold a claim by a descriptor of another process.

    A lock of flock(2) belongs to the open file, which both processes have, and so does the name of
    a socket: nobody else can get in between.
    """
    if isinstance(place, str):
        return socket.socket(fileno=descriptor)
    return os.fdopen(descriptor, "r+", encoding="utf-8")


def name_owner(held: HeldClaim) -> None:
    """Name this process as the owner of a claim that another process shared with it."""
    if isinstance(held, socket.socket):
        with suppress(OSError):
            held.listen()  # from here on SO_PEERCRED names this process
    elif isinstance(held, TextIOWrapper):
        _write_owner(held)


def _write_owner(file: TextIO) -> None:
    # Start even if the disk is full: then only the owner's id is missing.
    with suppress(OSError):
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "since": _now()}) + "\n")
        file.flush()


def _owner_in(content: str) -> Owner:
    try:
        owner = json.loads(content)
        return Owner(int(owner["pid"]), datetime.fromisoformat(owner["since"]))
    except (ValueError, KeyError, TypeError):
        return Owner()  # the owner has not written it yet


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _bind_socket(name: str) -> HeldClaim | Owner:
    """Bind an abstract socket; if its name is in use, the kernel names the owner."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0{name}")
        held.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            held.close()
            return _owner_of_socket(name) or Owner()
        log.warning("socket @%s: %s; nothing keeps a second labgate out", name, error.strerror)
    return held


def _owner_of_socket(name: str) -> Owner | None:
    peer = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        # The owner does not accept; a full queue must not block.
        asking.setblocking(False)
        try:
            asking.connect(f"\0{name}")
            peer = peer_of(asking)
        except ConnectionRefusedError:
            return None
        except OSError:
            pass
    return Owner() if peer is None else Owner(peer.pid, _started(peer.pid), _user(peer.uid))


def _started(pid: int) -> datetime | None:
    """The start time of a process (proc_pid_stat(5), field 22; proc_stat(5), btime)."""
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
