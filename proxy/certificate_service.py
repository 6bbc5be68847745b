"""The certificates of a running labgate: watched, renewed, and replaced by a reload.

Tested by tests/test_certificate_service.py, tests/certs/acme/test_maintain.py and
tests/e2e/test_acme.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.acme.solvers import TlsAlpnResponder
from proxy.certs.sources import hosts_of, sources_of
from proxy.certs.status import status_file
from proxy.certs.store import CertificateStore
from proxy.certs.watch import watch
from proxy.config.settings import Settings
from proxy.runtime.tasks import spawn
from proxy.tls.context import Handshakes


class CertificateService:
    """Keeps the certificates of the configuration in service.

    Attributes:
        store: Those in service.

    Args:
        settings: The configuration.
        is_worker: Whether a supervisor writes the files and their status.
        renews: Whether to obtain and renew what comes from ACME.
        answers_challenges: Whether this process makes handshakes, and answers TLS-ALPN-01.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        is_worker: bool = False,
        renews: bool = True,
        answers_challenges: bool = True,
    ) -> None:
        self._settings = settings
        self._is_worker = is_worker
        self._renews = renews
        self._answers_challenges = answers_challenges
        self._tasks: list[asyncio.Task[None]] = []
        self._renewal: asyncio.Task[None] | None = None
        self.store = self._load(settings)

    def start(self) -> None:
        """Put every certificate into service.

        Raises:
            StartError: One is not available.
        """
        self.store.start()

    def run(self) -> None:
        """Watch, publish and renew them from now on; the ports are open."""
        self.store.publish_status()
        self._tasks.append(spawn(watch(self.store), "certificates"))
        if self._answers_challenges:
            responder = TlsAlpnResponder(self._settings.state_folder, self.store.set_challenge)
            self._tasks.append(spawn(responder.run(), "challenges"))
        self._start_renewal()

    @property
    def is_running(self) -> bool:
        """Whether they are watched."""
        return bool(self._tasks)

    def look(self) -> None:
        """Read the files again now, instead of within the next seconds."""
        if self.is_running:
            self.store.reload()

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """Load what another configuration names; the result puts it into service.

        Raises:
            StartError: A certificate is not available.
        """
        new = self._load(settings)
        if new.has_the_sources_of(self.store):
            self.store.check()
            return partial(self._apply, settings, None)
        new.start()
        return partial(self._apply, settings, new)

    def remarks(self) -> list[str]:
        """What a reload cannot change, in sentences."""
        copies = [one for one in self.store.managed if one.is_outdated_copy]
        return [
            f"{one.source.cert} is systemd's copy, made when the service was started: a renewed "
            "certificate arrives with a restart, or with a reload from systemd 260 on "
            "(RefreshOnReload=credentials)"
            for one in copies
        ]

    def leave_to_others(self) -> None:
        """Stop watching and renewing: another process does, and writes their status."""
        self._cancel_renewal()
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def stop(self) -> None:
        """Stop watching; the certificates stay in service until the ports close."""
        if self.is_running:
            self.leave_to_others()
            self.store.close()

    def _load(self, settings: Settings) -> CertificateStore:
        """The certificates of a configuration, not yet in service."""
        sources = sources_of(settings)
        if self._is_worker:
            sources = [replace(source, make=None) for source in sources]
        return CertificateStore(
            sources,
            Handshakes(settings.tls.unknown_name, http2=settings.listen.speaks_http2),
            hosts_of(settings),
            None if self._is_worker else status_file(settings.state_folder),
            key_of_host=settings.key_of_host,
        )

    def _apply(self, settings: Settings, new: CertificateStore | None) -> None:
        before, self._settings = self._settings, settings
        if new is None:
            self.store.reload()
        else:
            self.store.succeed_with(new)
        if new is not None or certificate_request_of(before) != certificate_request_of(settings):
            self._cancel_renewal()
            self._start_renewal()

    def _start_renewal(self) -> None:
        if self._renews and self.is_running and self.store.managed[0].source.kind == "ACME":
            self._renewal = spawn(_renew(self._settings, self.store), "renewal")

    def _cancel_renewal(self) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
            self._renewal = None


async def _renew(settings: Settings, store: CertificateStore) -> None:
    """Obtain the certificate, and renew it from then on."""
    from proxy.certs.acme.maintain import Renewer  # noqa: PLC0415  its libraries cost 0.3 s

    await Renewer(certificate_request_of(settings), store).run()
