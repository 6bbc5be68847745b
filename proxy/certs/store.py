"""The certificates in service: which files they come from, and what is wrong with those.

The interface, for whoever obtains certificates (all of it on the event loop's thread)::

    store = CertificateStore(sources, Handshakes(...), hosts, status_file)
    store.start()                     # raises StartError; a source that is ``awaited``
                                      # starts with a temporary self-signed certificate
    store.handshakes.context          # the one ssl.SSLContext that every listener gets
    store.look()                      # look at the files now: True when one was swapped
    store.challenge(name, context)    # TLS-ALPN-01 (RFC 8737); None takes it away again
    store.tell(first_name, next_renewal=..., last_error=...)   # shown by `labgate cert show`
    store.waiting                     # first names that still have a temporary certificate
    store.entries                     # what is in service, for metrics and the status file
    sources_of(settings)              # proxy.certs.sources: which files, and ``awaited``

A certificate obtained by ACME is written to ``acme_pair(state_folder, first_name)``
(``proxy.certs.files``), that is ``<state>/certificates/<first name>/privkey.pem`` and
``fullchain.pem``, in a folder that is a link and exchanged as a whole (``acme.shelf``); then
call ``store.look()``, or let the watcher find it within two seconds. A look that comes between
finds a mismatched pair: the old certificate stays in service and nothing is said before the
second look in a row finds the same fault.

**Challenges.** The context given to ``challenge`` needs the challenge's certificate and
``set_alpn_protocols(["acme-tls/1"])``. Only handshakes that ask for ``name`` by SNI *and*
offer ``acme-tls/1`` get it; all others of that name get its ordinary certificate meanwhile.
Python tells the SNI callback nothing about ALPN, so while a challenge is set the ClientHello
is read from the handshake's own MemoryBIO (``proxy.edge.tls``); nothing else is different
then, with uvloop, asyncio and behind the PROXY protocol alike. Several names may be pending
at once. An IP address is asked for by its reverse name (RFC 8738 section 6).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from proxy.edge.tls import Handshakes
from proxy.errors import StartError

from .files import check_covered
from .managed_certificate import Entry
from .sources import Source
from .status import Told, write_status

log = logging.getLogger("labgate")


class CertificateStore:
    """Keeps the right certificate of every name in service.

    Args:
        sources: The pairs; the first is the default.
        handshakes: Gets the contexts.
        hosts: The names that each need a certificate.
        status_file: Written whenever something changes, once ``publish`` was called; None
            in a process that leaves that to another.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        handshakes: Handshakes,
        hosts: Sequence[str],
        status_file: Path | None = None,
    ) -> None:
        self.entries = [Entry(source) for source in sources]
        self.handshakes = handshakes
        self._hosts = hosts
        self._status_file = status_file
        self._published = False
        self._trouble = ""

    @property
    def waiting(self) -> list[str]:
        """The first names whose certificate is still a temporary one."""
        return [entry.name for entry in self.entries if entry.temporary]

    def start(self, now: datetime | None = None) -> None:
        """Put every pair into service.

        Raises:
            StartError: For the first that cannot be, unless it is awaited, or the first host
                that has none.
        """
        now = now or datetime.now(UTC)
        for entry in self.entries:
            entry.start(self._hosts, now)
        try:
            self._check_covered()
        except StartError as error:
            if not any(entry.source.awaited for entry in self.entries):
                raise
            # A name was added, and its certificate can only be obtained while labgate serves.
            log.warning("%s Until then that name gets the default certificate.", error)
        self._serve()

    def look(self, now: datetime | None = None) -> bool:
        """Look at every pair's files; whether another certificate is in service now."""
        now = now or datetime.now(UTC)
        changed = swapped = False
        for entry in self.entries:
            before = entry.pair, entry.fault
            others = [
                other.pair
                for other in self.entries
                if other is not entry and other.pair is not None and not other.temporary
            ]
            entry.look(self._hosts, others, now)
            swapped |= entry.pair is not before[0]
            changed |= (entry.pair, entry.fault) != before
        if swapped:
            self._serve()
            try:
                self._check_covered()
            except StartError as error:
                log.warning("%s It gets the default certificate.", error)
        if changed:
            self._write_status()
        return swapped

    def challenge(self, name: str, context: ssl.SSLContext | None) -> None:
        """Answer TLS-ALPN-01 for ``name`` with ``context``; None ends it (RFC 8737)."""
        self.handshakes.challenge(name, context)

    def tell(
        self, first_name: str, *, next_renewal: datetime | None = None, last_error: str = ""
    ) -> None:
        """Keep what whoever renews ``first_name`` says, in place of what was said before.

        A name that no source is for is passed over.
        """
        for entry in self.entries:
            if entry.name == first_name:
                entry.next_renewal, entry.last_error = next_renewal, last_error
        self._write_status()

    def publish(self) -> None:
        """From now on this is the instance that ``labgate cert show`` hears of."""
        self._published = True
        self._write_status()

    def close(self) -> None:
        """The instance ends."""
        self._write_status(running=False)
        self._published = False

    def _check_covered(self) -> None:
        pairs = [entry.pair for entry in self.entries if entry.pair is not None]
        check_covered(pairs, self._hosts)

    def _serve(self) -> None:
        # A temporary certificate must not stand before a real one for the same name.
        ranked = sorted(self.entries, key=lambda entry: entry.temporary)
        self.handshakes.serve(
            [
                (entry.pair.names, entry.context)
                for entry in ranked
                if entry.pair is not None and entry.context is not None
            ]
        )

    def _write_status(self, *, running: bool = True) -> None:
        if self._status_file is None or not self._published:
            return
        told = [_told(entry) for entry in self.entries if entry.pair is not None]
        try:
            write_status(self._status_file, told, self._hosts, running=running)
        except OSError as error:
            trouble = f"{self._status_file} cannot be written: {error.strerror}"
            if trouble != self._trouble:
                log.warning(
                    "%s. Until it can, `labgate cert show` does not know what is in service.",
                    trouble,
                )
            self._trouble = trouble
        else:
            self._trouble = ""


def _told(entry: Entry) -> Told:
    pair = entry.pair
    assert pair is not None, "only what is in service is told"
    return Told(
        name=entry.name,
        names=pair.names,
        source=entry.source.kind,
        cert=str(entry.source.cert),
        key=str(entry.source.key),
        temporary=entry.temporary,
        issuer=pair.issuer,
        serial=pair.serial,
        not_before=pair.not_before,
        not_after=pair.not_after,
        fault=entry.fault,
        next_renewal=entry.next_renewal,
        last_error=entry.last_error,
    )
