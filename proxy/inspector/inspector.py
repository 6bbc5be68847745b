"""Switches the capture on and off, for everybody who looks.

Tested by tests/inspector/test_inspector.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from proxy.inspector.recorder import CaptureOptions, Recorder
from proxy.inspector.ring import Ring


async def _at_once() -> None:
    """The end of the wait where the process that switches is the one that captures."""


class Inspector:
    """What was captured, and whether more is.

    Attributes:
        ring: The latest exchanges.
        fault: What ended the capture, or that of one worker, by itself, in a sentence; empty
            once it was switched on again.
        in_force: Wait until every process captures what was asked for last, or nothing.

    Args:
        ring: Gets the exchanges.
        use: Given the recorder for the requests that begin from now on; None for none.
        in_force: Returns when what ``use`` was given last is used everywhere.
    """

    def __init__(
        self,
        ring: Ring,
        use: Callable[[Recorder | None], None],
        in_force: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self.ring = ring
        self.fault = ""
        self._recorder: Recorder | None = None
        self._use = use
        self.in_force = in_force
        self._chosen: CaptureOptions | None = None
        self._wanted: dict[object, CaptureOptions] = {}
        self._listeners: list[Callable[[], None]] = []

    @property
    def options(self) -> CaptureOptions | None:
        """What is captured; None while the inspector is off, also because of a fault."""
        recorder = self._recorder
        return None if recorder is None or recorder.guard.faulty else recorder.options

    def switch(self, options: CaptureOptions | None) -> None:
        """Capture exchanges that begin from now on, or none, whoever else wants something."""
        self._chosen = options
        others = self._wanted if options is not None else ()
        self._wanted = dict.fromkeys(others, options) if options is not None else {}
        self._record(options)

    def end(self) -> None:
        """Capture no more, and forget what was captured: nobody can look any more."""
        self.switch(None)
        self.ring.clear()

    def want(self, options: CaptureOptions) -> Callable[[], None]:
        """Capture as long as somebody looks; returns the end of that, which may come twice.

        What was switched on, or is wanted by others, goes on after it.
        """
        key = object()
        self._wanted[key] = options
        self._adapt()

        def end() -> None:
            if self._wanted.pop(key, None) is not None:
                self._adapt()

        return end

    def failed(self, fault: str) -> None:
        """Note that the capture, or that of one worker, has ended by itself."""
        self.fault = fault
        self._notify()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` when ``options`` or ``fault`` change; returns the end of it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _adapt(self) -> None:
        """Record what all together want, if that is something else than now."""
        wanted = [*self._wanted.values()]
        if self._chosen is not None:
            wanted.append(self._chosen)
        together = None
        if wanted:
            content = any(one.content for one in wanted)
            together = CaptureOptions(content, max(one.max_content_bytes for one in wanted))
        if together != self.options or (self.fault and together is not None):
            self._record(together)

    def _record(self, options: CaptureOptions | None) -> None:
        self._recorder = Recorder(self.ring, options) if options is not None else None
        if self._recorder is not None:
            self.fault = ""
            self._recorder.guard.failed = self._guard_failed
        self._use(self._recorder)
        self._notify()

    def _guard_failed(self, error: Exception) -> None:
        self.failed(f"The capture has ended with a fault ({type(error).__name__}).")

    def _notify(self) -> None:
        for listener in tuple(self._listeners):
            listener()
