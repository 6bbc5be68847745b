"""The files on disk, across restarts: in a folder that only labgate's user can read and write.

Each is there in its best coding alone. What is read is verified, and Jupyter is asked about every
file before it is used.

Several processes have the same folder: the workers, and for a while those that an upgrade replaces.
Each notices by itself that Jupyter has other files than before, and then one of them may still be
fetching, compressing or writing what another has just dropped. So there is a *generation* of files:
all that were fetched between one drop and the next. Each drop begins the next generation. A file
of an earlier one is ignored, even if it is written later.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from proxy.cache.stored_file import FileKey, StoredFile, coded_content
from proxy.rules.caching import MAX_CACHED_FILE_BYTES, Validators
from proxy.runtime.secret_files import make_private_folder, write_atomically

log = logging.getLogger("labgate")

UNUSED_SECONDS = 30 * 86_400
"""After so long without a start that reads it, or a write, a folder belongs to no route any more,
or can be filled again."""

MAX_WRITE_SECONDS = 600
"""A file that is written has a temporary name meanwhile; older ones are of a process that ended."""

FORMAT = 3
"""Of what stands in a file, also with which settings it was compressed; others are removed."""

GENERATION_FILE = "generation.txt"
"""Beside the files; there is none before the first drop."""


class DiskStore:
    """Files below one folder. Every method may wait for the disk: call them in a thread.

    Attributes:
        folder: The folder.

    Args:
        folder: It is made when it is needed.
        max_bytes: What is read at most; what is beyond is removed.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        self._ended = False
        self._failure = ""
        # A thread may still write for somebody who does not wait for it any more.
        self._writing = threading.Lock()

    def generation(self) -> str:
        """Of the files that are kept now; another process may begin the next one at any time."""
        try:
            return (self.folder / GENERATION_FILE).read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return ""

    def read_all(self) -> list[StoredFile]:
        """Every file that is whole, of this generation; the others are removed.

        The most recently written ones come first, and they are what there is room for.
        """
        files: list[StoredFile] = []
        others: list[Path] = []
        size_bytes = 0
        generation = self.generation()
        with suppress(OSError):
            # Nothing is written for months where Jupyter stays the same: see ``remove_unused``.
            os.utime(self.folder)
        for path in self._paths():
            file = _read(path, generation)
            if file is not None and path != self._path(file.key):
                # Its writer has ended before it could give it its name.
                file = None
            if file is not None and size_bytes + len(file.best.octets) <= self._max_bytes:
                size_bytes += len(file.best.octets)
                files.append(file)
            else:
                others.append(path)
        if self.generation() == generation:
            _remove(others)
        return files

    def read(self, key: FileKey) -> StoredFile | None:
        """The file, also of an earlier generation; None if it is not there, or not whole."""
        file = _read(self._path(key))
        return file if file is not None and file.key == key else None

    def write(self, file: StoredFile, generation: str) -> None:
        """Keep a file. If the disk cannot, that is only logged: once, until it can again.

        Args:
            file: The file.
            generation: The one that was current before Jupyter was asked for the file.
        """
        with self._writing:
            if self._ended or self.generation() != generation:
                return
            try:
                make_private_folder(self.folder)
                write_atomically(self._path(file.key), _serialized(file, generation))
            except OSError as error:
                failure = error.strerror or str(error)
                if failure != self._failure:
                    log.info("cannot keep static files on disk: %s", failure)
                self._failure = failure
            else:
                self._failure = ""

    def remove(self, key: FileKey) -> None:
        """Forget a file, if it is there."""
        _remove([self._path(key)])

    def drop(self, generation: str) -> str:
        """Forget every file, unless another process has; returns the generation from now on.

        Args:
            generation: The last one whose files were Jupyter's. If another process has ended it,
                that one has noticed the same change, and fetched what is here now afterwards.
        """
        with self._writing:
            if not self._ended and self.generation() == generation:
                _remove(self._paths())
                # What is written from now on by somebody who does not know it yet does not count.
                with suppress(OSError):
                    write_atomically(
                        self.folder / GENERATION_FILE, secrets.token_hex(8).encode("ascii")
                    )
        return self.generation()

    def end(self) -> None:
        """Remove every file, and the folder if nothing else is in it; nothing is kept any more."""
        with self._writing:
            self._ended = True
            _remove([*self._paths(), self.folder / GENERATION_FILE])
            with suppress(OSError):
                self.folder.rmdir()

    def _paths(self) -> list[Path]:
        """The files in this folder, the most recently written one first.

        No links, none of another user, and none that is being written, perhaps by another process.
        """
        found: list[tuple[float, Path]] = []
        written_before = time.time() - MAX_WRITE_SECONDS
        with suppress(OSError):
            owner = self.folder.stat().st_uid
            for path in self.folder.iterdir():
                # Meanwhile it may have been removed, or got its name.
                with suppress(OSError):
                    about = path.lstat()
                    own = stat.S_ISREG(about.st_mode) and about.st_uid == owner
                    written = not path.suffix or about.st_mtime < written_before
                    if own and written and path.name != GENERATION_FILE:
                        found.append((about.st_mtime, path))
        return [path for _, path in sorted(found, reverse=True)]

    def _path(self, key: FileKey) -> Path:
        name = hashlib.sha256(key.authority + b"\0" + key.target).hexdigest()
        return self.folder / name


def remove_unused(parent: Path, used: Collection[Path | None], now: float) -> None:
    """Remove the folders of stores that are in use nowhere; call it in a thread.

    Another labgate with this state folder may have them, and then reads or writes now and then.

    Args:
        parent: Of the folders.
        used: Those that stay.
        now: The Unix time in seconds.
    """
    with suppress(OSError):
        for folder in list(parent.iterdir()):
            # Another worker does the same, so that it may be gone.
            with suppress(OSError):
                unused = folder not in used and folder.is_dir() and not folder.is_symlink()
                if unused and now - folder.stat().st_mtime > UNUSED_SECONDS:
                    DiskStore(folder, 0).end()


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()


def _serialized(file: StoredFile, generation: str) -> bytes:
    """A line of JSON, then the content; before both the digest of both."""
    about = {
        "format": FORMAT,
        "generation": generation,
        "key": [part.decode("latin-1") for part in file.key],
        "fields": [[part.decode("latin-1") for part in field] for field in file.fields],
        "validators": [part.decode("latin-1") for part in file.validators],
        "digest": file.digest,
        "coding": file.best.coding.decode("ascii"),
        "compression_tried": file.compression_tried,
    }
    data = json.dumps(about).encode("ascii") + b"\n" + file.best.octets
    return hashlib.sha256(data).hexdigest().encode("ascii") + b"\n" + data


def _read(path: Path, generation: str | None = None) -> StoredFile | None:
    """The file in ``path``; None if it is not whole, or of another than the given generation."""
    try:
        if path.stat().st_size > 2 * MAX_CACHED_FILE_BYTES:
            return None
        digest, _, data = path.read_bytes().partition(b"\n")
        if hashlib.sha256(data).hexdigest().encode("ascii") != digest:
            return None
        line, _, content = data.partition(b"\n")
        about: dict[str, Any] = json.loads(line)
        if about["format"] != FORMAT or generation not in (None, about["generation"]):
            return None
        validators = Validators(*(part.encode("latin-1") for part in about["validators"]))
        int(validators.length)
        return StoredFile(
            FileKey(*(part.encode("latin-1") for part in about["key"])),
            tuple(
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in about["fields"]
            ),
            validators,
            bytes.fromhex(about["digest"]).hex(),
            coded_content(about["coding"].encode("ascii"), content),
            about["compression_tried"] is True,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
