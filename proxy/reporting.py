"""Writes the reports of an application: access log, ``--show-headers``, the inspector's capture.

Tested by tests/test_app.py and tests/e2e/test_reload.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from proxy.builders import build_header_printer
from proxy.config.settings import Settings
from proxy.inspector.headers import HeaderPrinter
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions
from proxy.observe.access_log import AccessLog
from proxy.observe.record import Observer, Observers
from proxy.observe.traffic import Traffic
from proxy.proxying.services import Services

log = logging.getLogger("labgate")


class Reporting:
    """Writes what the configuration wants to be written of requests.

    Args:
        inspector: Captures for ``--show-headers`` and the inspector.
    """

    def __init__(self, inspector: Inspector) -> None:
        self._observed: list[tuple[Services, Traffic | None]] = []
        self._inspector = inspector
        self._access_log: AccessLog | None = None
        self._started = False
        self._capture: CaptureOptions | None = None
        self._stop_printing: Callable[[], None] | None = None

    def start(self) -> None:
        """Write from now on."""
        self._started = True
        if self._access_log is not None:
            self._access_log.attach(log)

    def observe(self, services: Services, traffic: Traffic | None) -> None:
        """Report the requests of these handlers, too.

        Args:
            services: Gets the observers.
            traffic: Counts for the metrics; None without them.
        """
        self._observed.append((services, traffic))
        self._equip(services, traffic)

    def forget(self, services: Services) -> None:
        """Stop reporting the requests of these handlers, which have ended."""
        self._observed = [one for one in self._observed if one[0] is not services]

    def prepare(self, settings: Settings, *, access_log: bool) -> Callable[[], None]:
        """Check a configuration; the result reports as it says.

        Raises:
            UsageError: The filter of ``--show-headers`` means nothing.
        """
        printer = build_header_printer(settings) if settings.log.show_headers else None
        return partial(self._apply, settings, access_log, printer)

    def stop(self) -> None:
        """Write what waits."""
        if self._access_log is not None:
            self._access_log.flush()
            self._access_log.detach(log)

    def _apply(self, settings: Settings, access_log: bool, printer: HeaderPrinter | None) -> None:
        logged = access_log and log.isEnabledFor(logging.INFO)
        if logged != (self._access_log is not None):
            self._write_access_log(logged)
        if self._access_log is not None:
            self._access_log.health = settings.log.health
        for services, traffic in self._observed:
            self._equip(services, traffic)
        if self._stop_printing is not None:
            self._stop_printing()
            self._stop_printing = None
        if printer is not None:
            self._stop_printing = self._inspector.ring.listen(printer)
        wanted = None
        if printer is not None or settings.inspector.enabled:
            wanted = CaptureOptions(content=settings.inspector.content)
        # Somebody may have switched it since then: only another wish of the configuration counts.
        if wanted != self._capture:
            self._capture = wanted
            self._inspector.switch(wanted)

    def _equip(self, services: Services, traffic: Traffic | None) -> None:
        observers: list[Observer] = [one for one in (self._access_log, traffic) if one is not None]
        services.observers = Observers(
            head=() if traffic is None else (traffic.on_head,), end=tuple(observers)
        )
        services.log.access_log = self._access_log is not None

    def _write_access_log(self, wanted: bool) -> None:
        self.stop()
        self._access_log = AccessLog() if wanted else None
        if self._access_log is not None and self._started:
            self._access_log.attach(log)
