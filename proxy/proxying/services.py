"""What the handlers of all requests use.

Tested by tests/proxying/test_request_handler.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from proxy.compression.compressor import Compressor
from proxy.inspector.recorder import Recorder
from proxy.observe.record import NO_OBSERVERS, Observers
from proxy.proxying.decision_cache import DecisionCache
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.request_log import RequestLog
from proxy.proxying.router import Routing


@dataclass(slots=True, eq=False)
class Services:
    """One for all requests of all listeners.

    Attributes:
        router: Chooses where a request goes.
        log: Logs why requests are refused or fail.
        observers: Called at the start, the head and the end of each request.
        trace: Keep in each record what the rules change.
        recorder: Captures requests that begin from now on; None while the inspector is off.
        decision_cache: Remembers decisions and serialised fields.
        compressor: Compresses responses.
        open_requests: Counts the requests without a complete response.
        process_id: Begins the request ids of this process, and of no other process.
        numbers: End the request ids.
    """

    router: Routing
    log: RequestLog
    observers: Observers = NO_OBSERVERS
    trace: bool = False
    recorder: Recorder | None = None
    decision_cache: DecisionCache = field(default_factory=DecisionCache)
    compressor: Compressor = field(default_factory=Compressor)
    open_requests: OpenRequests = field(default_factory=OpenRequests)
    process_id: bytes = field(default_factory=lambda: secrets.token_hex(6).encode("ascii"))
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def use_recorder(self, recorder: Recorder | None) -> None:
        """Capture the requests that begin from now on, or none; count what open WebSockets send."""
        if self.recorder is not None:
            self.recorder.stop()
        self.recorder = recorder
        if recorder is not None:
            recorder.guard.switch_off = partial(self._record_no_more, recorder)
        if recorder is not None and self.open_requests.tunnels:
            recorder.show_open_tunnels(tuple(self.open_requests.tunnels.items()), self.router.site)

    def _record_no_more(self, faulty: Recorder) -> None:
        """Switch the capture off, unless another recorder has taken its place."""
        if self.recorder is faulty:
            self.use_recorder(None)
