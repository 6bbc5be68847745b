"""Waits for the moment to obtain or renew, again and again, while labgate serves."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from proxy.certs.files import CertificatePair
from proxy.certs.store import CertificateStore

from .certificate_request import Wanted
from .client import Stopped
from .issuer import attempt, due, look_for_suggestion, shelf_of
from .problems import ObtainError, explain_files
from .renewal_info import SOONEST
from .schedule import Plan

log = logging.getLogger("labgate")

T = TypeVar("T")

LONGEST_NAP_SECONDS = 60.0
"""What other processes wrote is seen within this."""

BUSY_NAP_SECONDS = 3.0
"""Another process asks the CA at this moment."""

UNKEPT_NAP_SECONDS = 600.0
"""After a failure that could not be written down: the disk is full, or not ours."""


class Renewer:
    """Keeps one certificate of a store fresh; several processes may do so for the same files."""

    def __init__(self, wanted: Wanted, store: CertificateStore) -> None:
        self._wanted = wanted
        self._store = store
        self._shelf = shelf_of(wanted)
        self._stop = threading.Event()
        self._told: tuple[datetime, str] | None = None
        self._trouble = ""
        # In case that what the CA said cannot be written down.
        self._asked_about, self._ask_at = "", datetime.min.replace(tzinfo=UTC)

    async def run(self) -> None:
        """Until cancelled; an attempt under way is then given up at its next step."""
        try:
            while True:
                try:
                    nap = await self._turn()
                    self._trouble = ""
                except OSError as error:
                    nap = LONGEST_NAP_SECONDS
                    self._complain(explain_files(self._wanted.state_folder, error))
                await asyncio.sleep(nap)
        finally:
            self._stop.set()

    async def _turn(self) -> float:
        """Do what is due; how long to sleep then, in seconds."""
        now = datetime.now(UTC)
        pair, memory = self._shelf.pair(), self._shelf.recall()
        if pair is not None and self._asks(pair, now) and not await self._suggested(pair):
            return BUSY_NAP_SECONDS
        memory = self._shelf.recall()
        planned = due(self._wanted, pair, memory, now)
        if planned.at > now:
            self._tell(planned, memory.last_error)
            return min((planned.at - now).total_seconds(), LONGEST_NAP_SECONDS)
        with self._shelf.locked() as free:
            if not free:
                return BUSY_NAP_SECONDS
            # Another process may have been here since we looked.
            planned = due(self._wanted, self._shelf.pair(), self._shelf.recall(), now)
            if planned.at > now:
                return 0.0
            return await self._attempt(planned)

    async def _attempt(self, planned: Plan) -> float:
        wanted, before = self._wanted, self._shelf.recall()
        log.info("Certificate for %s: asking the CA (%s).", wanted.names[0], planned.reason)
        try:
            await in_thread(lambda: attempt(wanted, self._progress, self._stop))
        except ObtainError as error:
            if self._shelf.recall().last_failure == before.last_failure:
                # It could not be kept, so the schedule does not know of it.
                self._complain(str(error))
                return UNKEPT_NAP_SECONDS
            log.error("No new certificate for %s: %s", ", ".join(wanted.names), error)
        else:
            self._store.look()
        return 0.0

    async def _suggested(self, pair: CertificatePair) -> bool:
        with self._shelf.locked() as free:
            if free:
                await in_thread(lambda: look_for_suggestion(self._wanted, pair, self._stop))
                self._asked_about = pair.serial
                self._ask_at = datetime.now(UTC) + SOONEST
            return free

    def _asks(self, pair: CertificatePair, now: datetime) -> bool:
        """Whether it is time to ask the CA for its suggestion (not after the expiry)."""
        if pair.not_after <= now or (self._asked_about == pair.serial and now < self._ask_at):
            return False
        memory = self._shelf.recall()
        return memory.serial != pair.serial or memory.ask_at is None or now >= memory.ask_at

    def _progress(self, line: str) -> None:
        log.info("Certificate for %s: %s.", self._wanted.names[0], line)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.error("%s", trouble)
        self._trouble = trouble
        self._told = None
        self._store.tell(self._wanted.names[0], last_error=trouble)

    def _tell(self, planned: Plan, last_error: str) -> None:
        told = planned.at, last_error
        if told == self._told:
            return
        self._told = told
        self._store.tell(self._wanted.names[0], next_renewal=planned.at, last_error=last_error)
        name = self._wanted.names[0]
        log.info(
            "Certificate for %s: next asked for at %s UTC (%s).",
            name,
            f"{planned.at:%Y-%m-%d %H:%M}",
            planned.reason,
        )


async def in_thread(work: Callable[[], T]) -> T:
    """Run in a thread that nobody has to wait for: a stop must not last as long as a CA.

    asyncio's own threads are joined at the end; this one is not, and what it leaves behind at
    any moment is a whole pair in service, and an order that the next attempt goes on with.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except Stopped:
            return
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more

    threading.Thread(target=run, name="acme", daemon=True).start()
    return await done
