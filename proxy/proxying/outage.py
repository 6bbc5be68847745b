"""Telling of a Jupyter that is away once, and not for each request that finds it so."""

from __future__ import annotations

import logging
from time import monotonic

from proxy.errors import UpstreamDown, UpstreamError, UpstreamSilent
from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")


class Outage:
    """The time from the first request that finds nobody to the next that is answered.

    Attributes:
        open: Whether it goes on.
    """

    __slots__ = ("_failed", "_said", "_since", "_throttle", "open")

    def __init__(self) -> None:
        self.open = False
        self._since = 0.0
        self._failed = 0
        self._said = False
        # One that takes turns with answers must not fill the log either.
        self._throttle = LogThrottle()

    def failed(self, request: str, error: UpstreamError) -> None:
        """Tell why a request got no answer, unless that is known.

        Args:
            request: Its method and target, fit to print.
            error: Any but ``UpstreamDown`` and ``UpstreamSilent`` is the request's own matter.
        """
        if not isinstance(error, UpstreamDown | UpstreamSilent):
            log.warning("%s: %s", request, error)
            return
        self._failed += 1
        if self.open:
            return
        self.open, self._since, self._failed = True, monotonic(), 1
        self._said = self._throttle.due(self._since) is not None
        if self._said:
            said = "%s: %s; requests get 503 until Jupyter answers, without a line for each"
            log.warning(said, request, error)

    def end(self) -> None:
        """A request was answered."""
        self.open = False
        if self._said:
            seconds = monotonic() - self._since
            log.warning("requests are answered again: %d got 503 in %.0f s", self._failed, seconds)
