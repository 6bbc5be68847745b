"""The files of one certificate: renewal state, pending order, and the pair in service.

::

    <state>/certificates/
      lab.example.org -> .obtained/lab.example.org/0A1B…   in service
      .obtained/lab.example.org/
        renewal.json                   the renewal state
        lock                           held while a process asks the CA
        next/                          the pending order: privkey.pem, order.json
        0A1B…/                         fullchain.pem and privkey.pem, by serial number

The link is replaced in one step, so the pair in service is whole after a power failure.
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

from proxy.certs.files import CertificatePair, acme_pair, check_pair, load_pair
from proxy.certs.x509 import generate_key, key_pem
from proxy.errors import StartError
from proxy.runtime.secret_files import make_private_folder, write_atomically

from .certificate_request import CertificateRequest
from .renewal_state import RenewalState, load_state, save_state

_EVEN_IF_EXPIRED = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PendingOrder:
    """An order that is not finished; the next attempt resumes it.

    Attributes:
        directory: The directory URL of the CA.
        names: In the certificate.
        profile: The CA's certificate profile; empty for its default.
        url: The order's; empty before it was placed.
    """

    directory: str
    names: tuple[str, ...]
    profile: str
    url: str = ""


class CertificateStorage:
    """The files of the certificate whose first name is ``name``."""

    def __init__(self, state_folder: Path, name: str) -> None:
        self.cert, self.key = acme_pair(state_folder, name)
        self._link = self.cert.parent
        self._home = self._link.parent / ".obtained" / name
        self._next = self._home / "next"
        self._state_file = self._home / "renewal.json"

    @property
    def folder(self) -> Path:
        """The folder of the pair in service."""
        return self._link

    def installed_pair(self) -> CertificatePair | None:
        """The pair in service, expired or not; None without a usable one."""
        try:
            return load_pair(self.cert, self.key, _EVEN_IF_EXPIRED)
        except StartError:
            return None

    def load_state(self) -> RenewalState:
        """The renewal state; an empty one if none was saved."""
        return load_state(self._state_file)

    def save_state(self, state: RenewalState) -> None:
        """Save the renewal state.

        Raises:
            OSError: It cannot be written.
        """
        save_state(self._state_file, state)

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Yields True if locked; the OS releases the lock on exit.

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

    def stage(self, new: PendingOrder) -> tuple[bytes, PendingOrder]:
        """Write a private key for a new order; returns the key and its order.

        If an earlier attempt left a pending order for the same names at the same CA, returns
        that order and its key.

        Raises:
            OSError: The folder cannot be written, or the disk is full.
        """
        key_file = self._next / "privkey.pem"
        self._recover_order()
        with suppress(OSError, ValueError, TypeError):
            saved = json.loads((self._next / "order.json").read_bytes())
            order = PendingOrder(**saved | {"names": tuple(saved["names"])})
            if PendingOrder(order.directory, order.names, order.profile) == new:
                return key_file.read_bytes(), order
        shutil.rmtree(self._next, ignore_errors=True)
        key = key_pem(generate_key())
        write_atomically(key_file, key)
        return key, new

    def _recover_order(self) -> None:
        """Make an order pending again whose pair was not in service yet when labgate was killed."""
        in_service = self._link.resolve()
        with suppress(OSError):
            (in_service / "order.json").unlink()
        for order in self._home.glob("*/order.json"):
            if order.parent not in (self._next, in_service) and not self._next.exists():
                order.parent.rename(self._next)

    def save_order(self, order: PendingOrder) -> None:
        """Save the order with its URL, so that the next attempt can resume it.

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

    def discard_order(self) -> None:
        """Remove the pending order and its key."""
        shutil.rmtree(self._next, ignore_errors=True)

    def install(self, chain: bytes) -> CertificatePair:
        """Put the pending order's key and its chain into service.

        Issuance counts against rate limits even if saving fails, as on a full disk: the order
        and its key then stay pending, and the next attempt downloads the same chain again.

        Raises:
            OSError: It cannot be written.
            StartError: The chain does not match the key, or is not PEM.
        """
        key_file, cert_file = self._next / "privkey.pem", self._next / "fullchain.pem"
        pair = check_pair(cert_file, key_file, chain, key_file.read_bytes(), _EVEN_IF_EXPIRED)
        write_atomically(cert_file, chain)
        version, before = self._home / pair.serial, self._link.resolve()
        link = self._make_link(version)
        self._next.rename(version)
        try:
            link.replace(self._link)
        except OSError:
            version.rename(self._next)
            raise
        self._write_through()
        (version / "order.json").unlink(missing_ok=True)
        for other in self._home.iterdir():
            if re.fullmatch("[0-9A-F]+", other.name) and other not in (version, before):
                shutil.rmtree(other, ignore_errors=True)
        return load_pair(self.cert, self.key, _EVEN_IF_EXPIRED)

    def _make_link(self, version: Path) -> Path:
        """Make the link to a version, beside the one in service."""
        if self._link.is_dir() and not self._link.is_symlink():
            # A folder made by hand: move it aside.
            self._link.rename(self._home / f"found-{datetime.now(UTC):%Y%m%d%H%M%S}")
        link = self._home / "link"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(".obtained") / self._home.name / version.name)
        return link

    def _write_through(self) -> None:
        """Make the replaced link survive a power failure."""
        folder = os.open(self._link.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def storage_of(request: CertificateRequest) -> CertificateStorage:
    """Where the files of the requested certificate are."""
    return CertificateStorage(request.state_folder, request.names[0])
