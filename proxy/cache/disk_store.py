"""The files on disk, across restarts: in a folder that only labgate's user can read and write.

Each is there in its best coding alone. What is read is verified, and Jupyter is asked about every
file before it is used.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from proxy.cache.stored_file import FileKey, StoredFile, coded_content
from proxy.rules.caching import MAX_CACHED_FILE_BYTES, Validators
from proxy.runtime.secret_files import make_private_folder, write_atomically

log = logging.getLogger("labgate")

UNUSED_SECONDS = 30 * 86_400
"""A folder that nothing was written to for so long belongs to no route any more, or is soon filled
again."""

MAX_WRITE_SECONDS = 600
"""A file that is written has a temporary name meanwhile; older ones are of a process that ended."""

FORMAT = 2
"""Of what stands in a file, also with which settings it was compressed; others are removed."""


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
        self._failed = self._ended = False
        # A thread may still write for somebody who does not wait for it any more.
        self._writing = threading.Lock()

    def read_all(self) -> list[StoredFile]:
        """Every file that is whole; the others are removed.

        The most recently written ones come first, and they are what there is room for.
        """
        files: list[StoredFile] = []
        size_bytes = 0
        for path in self._paths():
            file = _read(path)
            if file is not None and size_bytes + len(file.best.octets) <= self._max_bytes:
                size_bytes += len(file.best.octets)
                files.append(file)
            else:
                with suppress(OSError):
                    path.unlink()
        return files

    def read(self, key: FileKey) -> StoredFile | None:
        """The file; None if it is not there, or not whole."""
        file = _read(self._path(key))
        return file if file is not None and file.key == key else None

    def write(self, file: StoredFile) -> None:
        """Keep a file; that the disk cannot is only logged, and once."""
        with self._writing:
            if self._ended:
                return
            try:
                make_private_folder(self.folder)
                write_atomically(self._path(file.key), _serialized(file))
            except OSError as error:
                if not self._failed:
                    log.info("cannot keep static files on disk: %s", error.strerror or error)
                self._failed = True

    def remove(self, key: FileKey) -> None:
        """Forget a file, if it is there."""
        with suppress(OSError):
            self._path(key).unlink()

    def clear(self) -> None:
        """Forget every file."""
        for path in self._paths():
            with suppress(OSError):
                path.unlink()

    def end(self) -> None:
        """Remove every file, and the folder if nothing else is in it; nothing is kept any more."""
        with self._writing:
            self._ended = True
            self.clear()
            with suppress(OSError):
                self.folder.rmdir()

    def _paths(self) -> list[Path]:
        """Files of this folder and no others: no links, and none of another user.

        Nor those that are being written, perhaps by another worker.
        """
        try:
            owner = self.folder.stat().st_uid
            found = [
                (entry.stat().st_mtime, entry)
                for entry in self.folder.iterdir()
                if entry.is_file() and not entry.is_symlink() and entry.stat().st_uid == owner
            ]
        except OSError:
            return []
        written_before = time.time() - MAX_WRITE_SECONDS
        return [
            path
            for changed_at, path in sorted(found, reverse=True)
            if not path.suffix or changed_at < written_before
        ]

    def _path(self, key: FileKey) -> Path:
        name = hashlib.sha256(key.authority + b"\0" + key.target).hexdigest()
        return self.folder / name


def remove_unused(parent: Path, used: Collection[Path | None], now: float) -> None:
    """Remove the folders of stores that are in use nowhere; call it in a thread.

    Another labgate with this state folder may have them, and then writes into them now and then.

    Args:
        parent: Of the folders.
        used: Those that stay.
        now: The Unix time in seconds.
    """
    with suppress(OSError):
        for folder in list(parent.iterdir()):
            unused = folder not in used and folder.is_dir() and not folder.is_symlink()
            if unused and now - folder.stat().st_mtime > UNUSED_SECONDS:
                DiskStore(folder, 0).end()


def _serialized(file: StoredFile) -> bytes:
    """A line of JSON, then the content; before both the digest of both."""
    about = {
        "format": FORMAT,
        "key": [part.decode("latin-1") for part in file.key],
        "fields": [[part.decode("latin-1") for part in field] for field in file.fields],
        "validators": [part.decode("latin-1") for part in file.validators],
        "digest": file.digest,
        "coding": file.best.coding.decode("ascii"),
    }
    data = json.dumps(about).encode("ascii") + b"\n" + file.best.octets
    return hashlib.sha256(data).hexdigest().encode("ascii") + b"\n" + data


def _read(path: Path) -> StoredFile | None:
    """The file in ``path``; None if it is not whole."""
    try:
        if path.stat().st_size > 2 * MAX_CACHED_FILE_BYTES:
            return None
        digest, _, data = path.read_bytes().partition(b"\n")
        if hashlib.sha256(data).hexdigest().encode("ascii") != digest:
            return None
        line, _, content = data.partition(b"\n")
        about: dict[str, Any] = json.loads(line)
        if about["format"] != FORMAT:
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
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
