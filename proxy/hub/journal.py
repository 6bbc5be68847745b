"""The routes on the disk, so that a restart of the proxy interrupts nobody.

A file of JSON lines, of which the last about a path counts. A change appends a line, which takes
the same time for ten routes as for ten thousand, and changes that come at once share a write; the
file is written anew, in one step, when it has many lines that count no more. A thread does that,
because a disk may take seconds.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from proxy.errors import StartError
from proxy.hub.stored_route import (
    StoredRoute,
    has_route_line,
    read_route_lines,
    removal_line,
    route_line,
    route_lines,
)
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.secret_files import write_atomically, write_beside

log = logging.getLogger("labgate")

SPARE_LINES = 1000
"""The file may always have this many superseded lines."""


class Journal:
    """Keeps routes in a file that only its user may read: targets are private.

    Args:
        path: The file. Its folder is made if it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self._unwritten: list[bytes] = []
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
        found, unread = read_route_lines(content)
        if unread and not found and not has_route_line(content):
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
        self.write()
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
        write_atomically(self._path, route_lines(routes))
        self._unwritten.clear()
        self._reopen()
        self._lines = len(routes)

    def add(self, route: StoredRoute) -> None:
        """Keep a route, or its change; ``write`` must follow."""
        self._unwritten.append(route_line(route))

    def remove(self, path: str) -> None:
        """Keep a route no more; ``write`` must follow."""
        self._unwritten.append(removal_line(path))

    def write(self) -> None:
        """Write what was added and removed since the last call; log it if that fails."""
        if not self._unwritten:
            return
        unwritten, self._unwritten = self._unwritten, []
        if self._new is not None:
            self._new.meanwhile += unwritten
        try:
            self._append(b"".join(unwritten))
        except OSError as error:
            # The routes in memory are right; a full disk must not stop the Hub.
            if not self._failed:
                log.error("--storage %s cannot be written: %s", self._path, error.strerror)
            self._failed = True
        else:
            self._lines += len(unwritten)
            self._failed = False

    def needs_rewriting(self, routes: int) -> bool:
        """Whether most of the lines count no more.

        Args:
            routes: How many routes there are.
        """
        return self._lines > 2 * routes + SPARE_LINES

    def close(self) -> None:
        """Leave the file as it is from here on: another process may write it now."""
        self.write()
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

    def _append(self, content: bytes) -> None:
        """Append lines.

        Raises:
            OSError: They are not, or not all of them, in the file.
        """
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        if self._cut:
            # The file ends within a line, which must not take the next one with it.
            content = b"\n" + content
        written = os.write(self._descriptor, content)
        if written:
            self._cut = written < len(content)
        if written < len(content):
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
        written = write_beside(self._path, route_lines(self._routes))
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
