"""The files of one certificate: remembered, staged, and in service.

::

    <state>/certificates/
      lab.example.org -> .obtained/lab.example.org/0A1B…   exchanged as a whole
      .obtained/lab.example.org/
        renewal.json                   what is remembered (memory)
        lock                           held by whoever asks the CA
        next/                          staged: privkey.pem, order.json, room
        0A1B…/                         fullchain.pem and privkey.pem, by serial number

A link is exchanged in one step, so the pair in service is whole whenever the power fails.
Folders have mode 0700, files 0600.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proxy.certs.files import CertificatePair, acme_pair, check_pair, load_pair
from proxy.errors import StartError
from proxy.runtime.secret_files import make_private_folder, write_atomically

from .renewal_state import Memory, recall, remember

ROOM = 64 * 1024
"""Held on the disk from before the order on, in bytes: a chain is about 5 KiB, and a CA does
not count a certificate less because there was no room for it."""

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Order:
    """An order under way, as it is kept: whoever comes next goes on with it.

    Attributes:
        directory: The CA's.
        names: It is for these.
        url: Where the CA keeps it; empty before it was made.
    """

    directory: str
    names: tuple[str, ...]
    profile: str
    url: str = ""


class Shelf:
    """The files of the certificate whose first name is ``name``."""

    def __init__(self, state_folder: Path, name: str) -> None:
        self.cert, self.key = acme_pair(state_folder, name)
        self._link = self.cert.parent
        self._home = self._link.parent / ".obtained" / name
        self._next = self._home / "next"
        self._memory = self._home / "renewal.json"

    @property
    def folder(self) -> Path:
        """Where the pair in service is."""
        return self._link

    def pair(self) -> CertificatePair | None:
        """The pair there is, expired or not; None when there is none to be used."""
        try:
            return load_pair(self.cert, self.key, _ALWAYS)
        except StartError:
            return None

    def recall(self) -> Memory:
        """What is remembered."""
        return recall(self._memory)

    def remember(self, memory: Memory) -> None:
        """Keep it.

        Raises:
            OSError: It cannot be written.
        """
        remember(self._memory, memory)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Whether it was free; held until the end, which a process's death is, too.

        Raises:
            OSError: The folder cannot be written.
        """
        make_private_folder(self._home)
        descriptor = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def stage(self, wanted: Order) -> tuple[bytes, Order]:
        """Have a private key and room on the disk; the key, and the order it is for.

        An order that an earlier attempt left under way is taken up again, with its key.

        Raises:
            OSError: The folder cannot be written, or the disk is full.
        """
        key_file = self._next / "privkey.pem"
        with suppress(OSError, ValueError, TypeError):
            kept = json.loads((self._next / "order.json").read_bytes())
            order = Order(**kept | {"names": tuple(kept["names"])})
            if Order(order.directory, order.names, order.profile) == wanted:
                return key_file.read_bytes(), order
        shutil.rmtree(self._next, ignore_errors=True)
        private = ec.generate_private_key(ec.SECP256R1())
        key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomically(key_file, key)
        write_atomically(self._next / "room", bytes(ROOM))
        return key, wanted

    def ordered(self, order: Order) -> None:
        """Keep where the order is.

        Raises:
            OSError: It cannot be written.
        """
        content = {
            "directory": order.directory,
            "names": order.names,
            "profile": order.profile,
            "url": order.url,
        }
        write_atomically(self._next / "order.json", json.dumps(content).encode("utf-8"))

    def abandon(self) -> None:
        """The staged order leads nowhere."""
        shutil.rmtree(self._next, ignore_errors=True)

    def put(self, chain: bytes) -> CertificatePair:
        """Put the staged key and its chain into service; the pair as it is now.

        Raises:
            OSError: It cannot be written.
            StartError: The chain is not the key's, or not PEM.
        """
        key_file, cert_file = self._next / "privkey.pem", self._next / "fullchain.pem"
        pair = check_pair(cert_file, key_file, chain, key_file.read_bytes(), _ALWAYS)
        (self._next / "room").unlink(missing_ok=True)
        write_atomically(cert_file, chain)
        (self._next / "order.json").unlink(missing_ok=True)
        version = self._home / pair.serial
        self._next.rename(version)
        before = self._link.resolve()
        self._exchange(version)
        for other in self._home.iterdir():
            if re.fullmatch("[0-9A-F]+", other.name) and other not in (version, before):
                shutil.rmtree(other, ignore_errors=True)
        return load_pair(self.cert, self.key, _ALWAYS)

    def _exchange(self, version: Path) -> None:
        if self._link.is_dir() and not self._link.is_symlink():
            # Somebody's own folder; it is kept.
            self._link.rename(self._home / f"found-{datetime.now(UTC):%Y%m%d%H%M%S}")
        link = self._home / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(".obtained") / self._home.name / version.name)
        link.replace(self._link)
        folder = os.open(self._link.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
