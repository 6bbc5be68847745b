"""Whether the files that are kept are still Jupyter's.

A *period* begins when labgate opens a connection on which it sends nothing. It ends when that one
or any other is lost, or when Jupyter takes no new one: each may mean that Jupyter has ended. Then
every file is checked before it is used again. During a period the files in use are checked now and
then, in case Jupyter is upgraded while it runs.

Tested by tests/cache/test_static_cache.py, too.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from time import monotonic

from proxy.cache.anonymous_fetch import Connections, fetch
from proxy.cache.memory_store import MemoryStore
from proxy.cache.stored_file import StoredFile
from proxy.errors import UpstreamError
from proxy.net.upstream_watch import UpstreamWatch
from proxy.rules.caching import validators_of
from proxy.rules.head import ResponseHead
from proxy.rules.site import Site

MIN_WATCH_SECONDS = 60.0
"""A Jupyter that ends an idle connection sooner is asked again only when a file is wanted."""
MAX_HASHED_FILES = 4
"""Of the files in use whose names have a hash in them. Such a name stands for one content, so that
a few of them tell as well as all whether Jupyter is another; all would be some forty requests more
for a load of JupyterLab's page."""


class FileChecks:
    """Checks the files of one upstream.

    Attributes:
        site: How Jupyter is spoken to; None before it is known.
        period: Its number.
        to_do: Set when there may be files to check.

    Args:
        connections: To Jupyter, for requests.
        files: Those in memory.
        check_seconds: Files in use are checked this often at most.
        pause_seconds: All files are checked this often at most: whoever can end connections again
            and again must not have Jupyter asked for all of them as often.
        clock: As ``time.monotonic``.
    """

    def __init__(
        self,
        connections: Connections,
        files: MemoryStore,
        check_seconds: float,
        pause_seconds: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.site: Site | None = None
        self.period = 0
        self.to_do = asyncio.Event()
        self._connections = connections
        self._files = files
        self._check_seconds = check_seconds
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._watch: UpstreamWatch | None = None
        self._watching_since = 0.0
        self._beginning = asyncio.Lock()
        self._used: dict[StoredFile, None] = {}
        self._next_at = 0.0
        self._all_next_at = 0.0

    # For requests

    def is_usable(self, file: StoredFile) -> bool:
        """Whether the file may answer a request now, which is a use of it."""
        now = self._clock()
        if file.period != self.period:
            if now >= self._all_next_at:
                self.to_do.set()
            return False
        if now - file.checked_at <= self._check_seconds:
            return True
        self._used[file] = None
        if now >= self._next_at:
            self.to_do.set()
        return file.hashed

    # Periods

    def end_period(self) -> None:
        """Nothing is known of any file any more."""
        self.period += 1
        self.close()

    def close(self) -> None:
        """Watch Jupyter no longer."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    async def begin_period(self) -> None:
        """Watch Jupyter, if that is not done already.

        Raises:
            UpstreamError: It is not there.
        """
        async with self._beginning:
            if self._watch is not None and self._watch.open:
                return
            if self.site is None:
                raise UpstreamError("Jupyter is being started")
            self._watch = await self._connections.watch(self._on_watch_lost)
            self._watching_since = self._clock()

    def _on_watch_lost(self) -> None:
        """Jupyter has ended, perhaps, or moved."""
        self.end_period()
        if self._clock() - self._watching_since > MIN_WATCH_SECONDS:
            self.to_do.set()

    # In the background

    async def all_hold(self) -> bool:
        """Ask Jupyter about the files that were used and those not checked in this period.

        Raises:
            UpstreamError: It cannot be asked, or could not be for one of them.
            TimeoutError: It takes too long.
        """
        used, self._used = self._used, {}
        if not len(self._files):
            return True
        await self.begin_period()
        period = self.period
        unknown = [file for file in self._files if file.period != period]
        if unknown:
            self._all_next_at = self._clock() + self._pause_seconds
        else:
            self._next_at = self._clock() + self._check_seconds
        for file in [*unknown, *sample(file for file in used if file.key in self._files)]:
            if not await self._still_holds(file, period):
                return False
        return True

    def checked(self, file: StoredFile, head: ResponseHead, period: int) -> None:
        """Jupyter has just said that it would send this file."""
        file.checked_at, file.period = self._clock(), period
        file.date = next(iter(head.values(b"date")), b"")

    async def _still_holds(self, file: StoredFile, period: int) -> bool:
        """Whether Jupyter would still send this file; it is usable then."""
        assert self.site is not None, "a period has begun"
        # A name with a hash in it means one content. Another's content is compared: in an image
        # that can be built again, all files have one date.
        for method in (b"HEAD", b"GET") if file.hashed else (b"GET",):
            head, content = await fetch(self._connections, self.site, method, file.key)
            if head.status >= 500:
                raise UpstreamError(f"Jupyter answers {head.status}")
            same = head.status == 200 and validators_of(head) == file.validators
            if method == b"GET":
                same = same and hashlib.sha256(content).hexdigest() == file.digest
            if same:
                self.checked(file, head, period)
                return True
        return False


def sample(used: Iterable[StoredFile]) -> list[StoredFile]:
    """Those without a hash in their names, and a few with: the ones checked longest ago."""
    by_age = sorted(used, key=lambda file: file.checked_at)
    hashed = [file for file in by_age if file.hashed]
    return [file for file in by_age if not file.hashed] + hashed[:MAX_HASHED_FILES]
