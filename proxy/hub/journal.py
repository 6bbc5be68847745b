"""The routes on the disk, so that a restart of the proxy interrupts nobody.

A file of JSON lines, of which the last about a path counts. A change appends a line, which takes
the same time for ten routes as for ten thousand; the file is written anew, in one step, when it has
many lines that count no more. A thread does that, because a disk may take seconds.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from proxy.errors import StartError
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.secret_files import write_atomically, write_beside

log = logging.getLogger("labgate")

_BEGINNING = b'{"path":"'
"""How each line begins, by which a line that was cut is told from another file's."""
SPARE_LINES = 1000
"""The file may always have this many superseded lines."""


to_json = json.JSONEncoder(separators=(",", ":")).encode
"""JSON without spaces and line ends."""


class StoredRoute(NamedTuple):
    """A route as it is kept.

    Attributes:
        path: Its key, as ``/user/ada``.
        data: What the Hub gave with it, the target included: JSON of ``to_json``.
        last_activity: The Unix time in seconds.
    """

    path: str
    data: str
    last_activity: float


class Journal:
    """Keeps routes in a file that only its user may read: targets are private.

    Args:
        path: The file. Its folder is made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._descriptor: int | None = None
        self._failed = self._cut = False
        self._new: _NewFile | None = None

    def load(self) -> list[StoredRoute]:
        """The routes that the file has; it is written anew.

        Lines that cannot be read are left out, with a warning: a crash or a full disk cut them.

        Raises:
            StartError: It cannot be read or written, or has no line that labgate wrote.
        """
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise StartError(f"--storage {self._path} cannot be read: {error.strerror}.") from None
        found, unread = _read(content)
        if unread and not (
            found or content.startswith(_BEGINNING) or b"\n" + _BEGINNING in content
        ):
            raise StartError(
                f"--storage {self._path}: line {unread[0]} is not one that labgate wrote, nor is "
                "any other. Name another file, or remove this one: the Hub adds its routes again."
            )
        if unread:
            log.warning(
                "--storage %s: unreadable lines are left out: %d, the first is line %d; "
                "the Hub adds missing routes again",
                *(self._path, len(unread), unread[0]),
            )
        stored = list(found.values())
        try:
            self.rewrite_now(stored)
        except OSError as error:
            raise StartError(
                f"--storage {self._path} cannot be written: {error.strerror}. Name a file in a "
                "folder of this user."
            ) from None
        return stored

    def check_is_new(self) -> None:
        """Check that the file has no routes yet, before those of a predecessor are written there.

        Raises:
            StartError: It has, or cannot be looked at.
        """
        try:
            if not self._path.stat().st_size:
                return
        except FileNotFoundError:
            return
        except OSError as error:
            raise StartError(f"--storage {self._path} cannot be read: {error.strerror}.") from None
        raise StartError(
            f"--storage {self._path} has content, but the labgate that runs keeps its routes "
            "elsewhere, and they would replace it. Name a file that is not there yet, or move this "
            "one away."
        )

    async def rewrite(self, routes: Sequence[StoredRoute]) -> None:
        """Write the file anew, with these routes and what is added and removed meanwhile.

        Raises:
            OSError: It cannot be written; the old one is still there.
        """
        if self._new is not None:
            return
        new = self._new = _NewFile(self._path, routes)
        try:
            written = await run_in_daemon_thread("routes", new.write)
            if not new.is_abandoned:
                self._replace(written, new.meanwhile)
                self._lines = len(routes) + len(new.meanwhile)
        finally:
            new.abandon()
            if self._new is new:
                self._new = None

    def rewrite_now(self, routes: Sequence[StoredRoute]) -> None:
        """The same before anything is served, or after.

        Raises:
            OSError: It cannot be written; the old one is still there.
        """
        write_atomically(self._path, _lines(routes))
        self._reopen()
        self._lines = len(routes)

    def add(self, route: StoredRoute) -> None:
        """Keep a route, or its change."""
        self._append(_line(route))

    def remove(self, path: str) -> None:
        """Keep a route no more."""
        self._append(to_json({"path": path, "removed": True}).encode("ascii") + b"\n")

    def needs_rewriting(self, routes: int) -> bool:
        """Whether most of the lines count no more.

        Args:
            routes: How many routes there are.
        """
        return self._lines > 2 * routes + SPARE_LINES

    def close(self) -> None:
        """Leave the file as it is from here on: another process may write it now."""
        if self._new is not None:
            self._new.abandon()
            self._new = None
        self._close()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _replace(self, new: Path, meanwhile: Sequence[bytes]) -> None:
        """Put a new file in the place of the old one, complete at every moment.

        Raises:
            OSError: It cannot be; the old one is still there.
        """
        if meanwhile:
            with new.open("ab") as file:
                file.writelines(meanwhile)
        new.replace(self._path)
        self._reopen()

    def _reopen(self) -> None:
        """What was open is no longer the file of this name; the next line opens the new one."""
        self._close()
        self._cut = False

    def _append(self, line: bytes) -> None:
        if self._new is not None:
            self._new.meanwhile.append(line)
        try:
            self._write(line)
        except OSError as error:
            # The routes in memory are right; a full disk must not stop the Hub.
            if not self._failed:
                log.error("--storage %s cannot be written: %s", self._path, error.strerror)
            self._failed = True
        else:
            self._lines += 1
            self._failed = False

    def _write(self, line: bytes) -> None:
        """Append a line.

        Raises:
            OSError: It is not, or not the whole of it, in the file.
        """
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        if self._cut:
            # The file ends within a line, which must not take this one with it.
            line = b"\n" + line
        written = os.write(self._descriptor, line)
        if written:
            self._cut = written < len(line)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _NewFile:
    """The file that is to take the old one's place, while a thread writes it.

    Attributes:
        meanwhile: The lines that came since it was begun.
        is_abandoned: Whether it is no longer needed.

    Args:
        path: Of the old one.
        routes: What it has.
    """

    def __init__(self, path: Path, routes: Sequence[StoredRoute]) -> None:
        self.meanwhile: list[bytes] = []
        self.is_abandoned = False
        self._path, self._routes = path, routes
        self._written: Path | None = None
        # Whichever comes last of the thread's end and ``abandon`` removes it.
        self._lock = threading.Lock()

    def write(self) -> Path:
        """Write it, in a thread; returns where it is.

        Raises:
            OSError: It cannot be written.
        """
        written = write_beside(self._path, _lines(self._routes))
        with self._lock:
            self._written = written
            if self.is_abandoned:
                written.unlink()
        return written

    def abandon(self) -> None:
        """Remove it, if it has not taken the old one's place."""
        with self._lock:
            self.is_abandoned = True
            if self._written is not None:
                self._written.unlink(missing_ok=True)


def _lines(routes: Sequence[StoredRoute]) -> bytes:
    return b"".join(map(_line, routes))


def _line(route: StoredRoute) -> bytes:
    path, data, at = to_json(route.path), route.data, route.last_activity
    return f'{{"path":{path},"data":{data},"last_activity":{at!r}}}\n'.encode("ascii")


def _read(content: bytes) -> tuple[dict[str, StoredRoute], list[int]]:
    """The routes by their paths, and the numbers of the lines that are not of labgate's form."""
    found: dict[str, StoredRoute] = {}
    unread = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line:
            continue
        try:
            _apply(json.loads(line), found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            unread.append(number)
    return found, unread


def _apply(entry: dict[str, Any], found: dict[str, StoredRoute]) -> None:
    path = str(entry["path"])
    if entry.get("removed"):
        found.pop(path, None)
        return
    data = dict(entry["data"])
    if not isinstance(data["target"], str):
        raise TypeError(path)
    found[path] = StoredRoute(path, to_json(data), float(entry["last_activity"]))
