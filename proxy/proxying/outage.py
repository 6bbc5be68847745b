"""Logs an outage of an upstream once, and not for each request that fails during it."""

from __future__ import annotations

import logging
from time import monotonic

from proxy.errors import UpstreamDown, UpstreamError, UpstreamSilent
from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")


class Outage:
    """From the first request that gets no response to the next one that gets one.

    Attributes:
        open: Whether there is an outage now.
        upstream: Its name in the log.
    """

    __slots__ = ("_failed", "_logged", "_since", "_throttle", "open", "upstream")

    def __init__(self, upstream: str) -> None:
        self.open = False
        self.upstream = upstream
        self._since = 0.0
        self._failed = 0
        self._logged = False
        # An upstream that responds only now and then must not fill the log.
        self._throttle = LogThrottle()

    def failed(self, request: str, error: UpstreamError) -> None:
        """Log why a request failed, unless an outage has been logged.

        Args:
            request: Its method, target and client, fit to print.
            error: Any but ``UpstreamDown`` and ``UpstreamSilent`` is no outage, and is logged
                each time.
        """
        if not isinstance(error, UpstreamDown | UpstreamSilent):
            log.warning("%s: %s", request, error)
            return
        self._failed += 1
        if self.open:
            return
        self.open, self._since, self._failed = True, monotonic(), 1
        self._logged = self._throttle.due(self._since) is not None
        if self._logged:
            message = "%s: %s; requests get 503 until %s answers, without a line for each"
            log.warning(message, request, error, self.upstream)

    def end(self) -> None:
        """It has responded."""
        self.open = False
        if self._logged:
            seconds = monotonic() - self._since
            message = "%s answers now: %d requests got 503 in %.0f s"
            log.warning(message, self.upstream, self._failed, seconds)
