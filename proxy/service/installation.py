"""Writes the files of the service, and takes back exactly what was written.

What was written is remembered with its digest, so that a file that somebody has changed since is
neither replaced nor removed without a word.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from proxy.errors import StartError
from proxy.runtime.secret_files import write_atomically

RECORD = Path("/etc/labgate/installed.json")


@dataclass(frozen=True, slots=True)
class ServiceFile:
    """A file to be written.

    Attributes:
        path: Where.
        content: What.
        mode: Its permissions.
        purpose: What it is, in a sentence for somebody who never wrote a unit.
        keep: Never replaced once it is there: people edit it.
    """

    path: Path
    content: str
    mode: int
    purpose: str
    keep: bool = False


class State(Enum):
    """What is at the path of a file."""

    MISSING = "new"
    SAME = "is there already"
    OURS = "replaces the one of an earlier install-service"
    FOREIGN = "was changed, or is not labgate's"


class Installation:
    """The files below a root folder, usually ``/``."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self._record = self.at(RECORD)
        self._digests = self._read_record()

    def at(self, path: Path) -> Path:
        """The path below the root folder."""
        return self._root / path.relative_to("/")

    @property
    def paths(self) -> list[Path]:
        """The files that were written."""
        return [Path(path) for path in self._digests]

    def state(self, file: ServiceFile) -> State:
        """What is at its path now."""
        content = _content(self.at(file.path))
        if content is None:
            return State.MISSING
        if content == file.content.encode("utf-8"):
            return State.SAME
        return State.OURS if self.is_unchanged(file.path) else State.FOREIGN

    def is_unchanged(self, path: Path) -> bool:
        """Whether a file that was written is still as it was; False for any other file."""
        content = _content(self.at(path))
        return content is not None and _digest(content) == self._digests.get(str(path))

    def write(self, file: ServiceFile) -> None:
        """Write a file, and remember it.

        Raises:
            StartError: It cannot be written.
        """
        place = self.at(file.path)
        content = file.content.encode("utf-8")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(place, content)
            place.chmod(file.mode)  # whatever the umask is
        except OSError as error:
            raise StartError(
                f"{place} cannot be written: {error.strerror}. Run this as root (sudo), or look at "
                "what it would write with --dry-run."
            ) from None
        self._digests[str(file.path)] = _digest(content)
        self._write_record()

    def set_aside(self, path: Path) -> Path:
        """Rename a file, to a name that is free; returns its new path.

        Raises:
            StartError: It cannot be renamed.
        """
        aside = path.with_name(f"{path.name}.old")
        number = 0
        while os.path.lexists(self.at(aside)):
            number += 1
            aside = path.with_name(f"{path.name}.old.{number}")
        try:
            self.at(path).rename(self.at(aside))
        except OSError as error:
            raise StartError(f"{path} cannot be renamed: {error.strerror}. Use sudo.") from None
        return aside

    def remove(self, path: Path) -> None:
        """Remove a file that was written, and forget it.

        Raises:
            StartError: It cannot be removed.
        """
        try:
            self.at(path).unlink(missing_ok=True)
        except OSError as error:
            raise StartError(f"{path} cannot be removed: {error.strerror}.") from None
        self.forget(path)

    def forget(self, path: Path) -> None:
        """Do not take a file for labgate's any more; the record of none is removed."""
        self._digests.pop(str(path), None)
        if self._digests:
            self._write_record()
            return
        self._record.unlink(missing_ok=True)
        folder = self._record.parent
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def _read_record(self) -> dict[str, str]:
        try:
            record = json.loads(self._record.read_text("utf-8"))
            return {str(path): str(digest) for path, digest in record["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _write_record(self) -> None:
        content = json.dumps({"files": self._digests}, indent=1)
        try:
            self._record.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._record, content.encode("utf-8"))
        except OSError as error:
            raise StartError(f"{self._record} cannot be written: {error.strerror}.") from None


def _content(path: Path) -> bytes | None:
    """The content of a file; None if there is none.

    Raises:
        StartError: It may not be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StartError(f"{path} cannot be read: {error.strerror}. Use sudo.") from None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
