"""Obtains and renews a certificate at the right time, while labgate serves."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime

from proxy.certs.files import CertificatePair
from proxy.certs.store import CertificateStore
from proxy.runtime.daemon_thread import run_in_daemon_thread

from .certificate_request import CertificateRequest
from .issuer import issue
from .problems import ObtainError, explain_files
from .renewal_info import MIN_QUERY_INTERVAL, update_renewal_info
from .renewal_state import schedule_renewal
from .schedule import ScheduledRenewal
from .storage import storage_of

log = logging.getLogger("labgate")

MAX_SLEEP_SECONDS = 60.0
"""How soon a change by another process is noticed."""

LOCKED_RETRY_SECONDS = 3.0
"""Until the next try while another process holds the lock."""

UNSAVED_FAILURE_RETRY_SECONDS = 600.0
"""After a failure that could not be saved, so that the schedule does not know of it."""


class Renewer:
    """Keeps one certificate of a store valid. Several processes may share its files."""

    def __init__(self, request: CertificateRequest, store: CertificateStore) -> None:
        self._request = request
        self._store = store
        self._storage = storage_of(request)
        self._stop = threading.Event()
        self._reported: tuple[datetime, str] | None = None
        self._last_error = ""
        # Limits the queries when the CA's answer cannot be saved.
        self._renewal_info_of, self._next_query = "", datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Run until cancelled; an attempt under way then stops before its next request."""
        try:
            while True:
                try:
                    seconds = await self._step()
                    self._last_error = ""
                except OSError as error:
                    seconds = MAX_SLEEP_SECONDS
                    self._report_error(explain_files(self._request.state_folder, error))
                await asyncio.sleep(seconds)
        finally:
            self._stop.set()

    async def _step(self) -> float:
        """Do what is due now; returns the seconds to sleep before the next step."""
        now = datetime.now(UTC)
        pair, state = self._storage.installed_pair(), self._storage.load_state()
        if (
            pair is not None
            and self._renewal_info_is_due(pair, now)
            and not await self._update_renewal_info(pair)
        ):
            return LOCKED_RETRY_SECONDS
        state = self._storage.load_state()
        planned = schedule_renewal(self._request, pair, state, now)
        if planned.at > now:
            self._report_schedule(planned, state.last_error)
            return min((planned.at - now).total_seconds(), MAX_SLEEP_SECONDS)
        with self._storage.locked() as free:
            if not free:
                return LOCKED_RETRY_SECONDS
            # Another process may have obtained one before we got the lock.
            planned = schedule_renewal(
                self._request, self._storage.installed_pair(), self._storage.load_state(), now
            )
            if planned.at > now:
                return 0.0
            return await self._issue(planned)

    async def _issue(self, planned: ScheduledRenewal) -> float:
        request, before = self._request, self._storage.load_state()
        log.info("Certificate for %s: asking the CA (%s).", request.names[0], planned.reason)
        try:
            await run_in_daemon_thread(
                "acme", lambda: issue(request, self._log_progress, self._stop)
            )
        except ObtainError as error:
            if self._storage.load_state().last_failure == before.last_failure:
                # The failure was not saved, so the schedule does not know of it.
                self._report_error(str(error))
                return UNSAVED_FAILURE_RETRY_SECONDS
            log.error("No new certificate for %s: %s", ", ".join(request.names), error)
        else:
            self._store.reload()
        return 0.0

    async def _update_renewal_info(self, pair: CertificatePair) -> bool:
        """False if another process holds the lock."""
        with self._storage.locked() as free:
            if free:
                await run_in_daemon_thread(
                    "acme", lambda: update_renewal_info(self._request, pair, self._stop)
                )
                self._renewal_info_of = pair.serial
                self._next_query = datetime.now(UTC) + MIN_QUERY_INTERVAL
            return free

    def _renewal_info_is_due(self, pair: CertificatePair, now: datetime) -> bool:
        """Whether to ask the CA for its renewal window (never after the expiry)."""
        if pair.not_after <= now or (
            self._renewal_info_of == pair.serial and now < self._next_query
        ):
            return False
        state = self._storage.load_state()
        return state.serial != pair.serial or state.ask_at is None or now >= state.ask_at

    def _log_progress(self, line: str) -> None:
        log.info("Certificate for %s: %s.", self._request.names[0], line)

    def _report_error(self, error: str) -> None:
        if error != self._last_error:
            log.error("%s", error)
        self._last_error = error
        self._reported = None
        self._store.report_renewal(self._request.names[0], last_error=error)

    def _report_schedule(self, planned: ScheduledRenewal, last_error: str) -> None:
        report = planned.at, last_error
        if report == self._reported:
            return
        self._reported = report
        self._store.report_renewal(
            self._request.names[0], next_renewal=planned.at, last_error=last_error
        )
        name = self._request.names[0]
        log.info(
            "Certificate for %s: next asked for at %s UTC (%s).",
            name,
            f"{planned.at:%Y-%m-%d %H:%M}",
            planned.reason,
        )
