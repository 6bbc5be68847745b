"""Finds static files for requests; fetches and checks them in the background.

A file is used only in the *period* in which it was checked. A period begins when a connection to
Jupyter is opened that carries nothing (``UpstreamWatch``), and ends with that connection, so at
the latest with the Jupyter that was asked. Within it, files in use are checked again every
``CHECK_SECONDS`` at most, and one without a hash of its content in its name is used only that long
after a check. A request that finds no usable file is forwarded: nobody waits for a check.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TypeVar

from proxy.cache.anonymous_fetch import Connections, fetch
from proxy.cache.best_coding import best_coding
from proxy.cache.candidates import QUIET_SECONDS, Candidates
from proxy.cache.disk_store import DiskStore
from proxy.cache.memory_store import MemoryStore
from proxy.cache.stored_file import FileKey, StoredFile, store
from proxy.errors import UpstreamError
from proxy.net.upstream_watch import UpstreamWatch
from proxy.rules.caching import may_answer, may_be_kept, validators_of
from proxy.rules.compression import accepts, media_type
from proxy.rules.head import RequestHead, ResponseHead
from proxy.rules.site import Site
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.memory import return_free_memory
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate")

CHECK_SECONDS = 10.0
RETRY_SECONDS = 5.0
MIN_WATCH_SECONDS = 60.0
"""A Jupyter that ends an idle connection sooner is asked again only when a file is wanted."""

T = TypeVar("T")


class StaticCache:
    """The static files of one upstream.

    Attributes:
        files: Those in memory.
        hits: Requests that were answered from here.
        saved_bytes: How many fewer bytes clients got than Jupyter would have sent to them.

    Args:
        connections: To Jupyter, for requests.
        disk: None keeps nothing across restarts.
        max_bytes: What the files in memory may take.
        check_seconds: Files in use are checked this often at most.
        quiet_seconds: How long after the last new one files are fetched.
        retry_seconds: How long after Jupyter could not be reached it is asked again.
    """

    def __init__(
        self,
        connections: Connections,
        disk: DiskStore | None,
        max_bytes: int,
        *,
        check_seconds: float = CHECK_SECONDS,
        quiet_seconds: float = QUIET_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.files = MemoryStore(max_bytes)
        self.hits = 0
        self.saved_bytes = 0
        self._connections = connections
        self._disk = disk
        self._check_seconds = check_seconds
        self._retry_seconds = retry_seconds
        self._site: Site | None = None
        self._watch: UpstreamWatch | None = None
        self._watching_since = 0.0
        self._period = 0
        self._candidates = Candidates(self.files, quiet_seconds)
        self._used: set[FileKey] = set()
        self._work_to_do = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    # For requests

    def find(self, request: RequestHead) -> StoredFile | None:
        """The file that answers the request, if it is known to be Jupyter's."""
        hosts = request.values(b"host")
        if not may_answer(request) or len(hosts) != 1:
            return None
        key = FileKey(hosts[0].lower(), request.target)
        file = self.files.get(key)
        if file is None:
            return None
        self._used.add(key)
        age_seconds = monotonic() - file.checked_at
        if file.period != self._period or age_seconds > self._check_seconds:
            self._work_to_do.set()
        if file.period != self._period or not accepts(file.coding, request):
            return None
        if not file.hashed and age_seconds > self._check_seconds:
            return None
        self.hits += 1
        self.saved_bytes += file.saved_bytes
        return file

    def notice(self, request: RequestHead, response: ResponseHead) -> None:
        """A response was forwarded: fetch the file, too, if it may be kept."""
        site, hosts = self._site, request.values(b"host")
        if site is None or request.method != b"GET" or len(hosts) != 1:
            return
        key = FileKey(hosts[0].lower(), request.target)
        if key in self.files or not may_be_kept(request.target, response, site.base_path):
            return
        if self._candidates.add(key, monotonic()):
            self._work_to_do.set()

    # Its life

    def start(self) -> None:
        """Begin to work in the background."""
        self._worker = spawn(self._work(), "static files")

    def use(self, site: Site) -> None:
        """From now on this is the configuration: nothing is used before it was checked."""
        self._site = site
        self._end_period()
        self._work_to_do.set()

    def close(self) -> None:
        """End the work."""
        if self._worker is not None:
            self._worker.cancel()
        if self._watch is not None:
            self._watch.close()

    def _end_period(self) -> None:
        """Nothing is known of any file any more."""
        self._period += 1
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _on_watch_lost(self) -> None:
        """Jupyter has ended, most likely, or moved."""
        self._end_period()
        if monotonic() - self._watching_since > MIN_WATCH_SECONDS:
            self._work_to_do.set()

    # In the background

    async def _work(self) -> None:
        await self._read_disk()
        while True:
            await self._work_to_do.wait()
            self._work_to_do.clear()
            try:
                await self._check_files()
                await self._fetch_candidates()
                continue
            except (UpstreamError, OSError, TimeoutError):
                pass  # Jupyter is not there; whoever asks for it gets that from the forwarder.
            except Exception:
                log.exception("cannot keep a static file; going on with the others")
            await asyncio.sleep(self._retry_seconds)
            self._work_to_do.set()

    async def _read_disk(self) -> None:
        if self._disk is None:
            return
        try:
            for file in reversed(await _in_thread(self._disk.read_all)):
                self.files.add(file)
        except Exception:
            log.exception("cannot read the static files on disk; going on without them")

    async def _check_files(self) -> None:
        """Ask Jupyter about the files that were used and those not checked in this period."""
        if not len(self.files):
            self._used.clear()
            return
        await self._begin_period()
        period, now = self._period, monotonic()
        for file in self.files:
            stale = file.key in self._used and now - file.checked_at > self._check_seconds
            if file.period == period and not stale:
                continue
            self._used.discard(file.key)
            if not await self._still_holds(file, period):
                log.info("Jupyter has other static files than before; what was kept is dropped")
                await self._drop_all()
                return

    async def _begin_period(self) -> None:
        if self._watch is not None and self._watch.open:
            return
        if self._site is None:
            raise UpstreamError("Jupyter is being started")
        self._watch = await self._connections.watch(self._on_watch_lost)
        self._watching_since = monotonic()

    async def _still_holds(self, file: StoredFile, period: int) -> bool:
        """Whether Jupyter would still send this file; it is usable then."""
        assert self._site is not None, "a period has begun"
        # A name with a hash in it means one content. Another's content is compared: in an image
        # that can be built again, all files have one date.
        for method in (b"HEAD", b"GET") if file.hashed else (b"GET",):
            head, content = await fetch(self._connections, self._site, method, file.key)
            if head.status >= 500:
                raise UpstreamError(f"Jupyter answers {head.status}")
            same = head.status == 200 and validators_of(head) == file.validators
            if method == b"GET":
                same = same and hashlib.sha256(content).hexdigest() == file.digest
            if same:
                self._checked(file, head, period)
                return True
        return False

    def _checked(self, file: StoredFile, head: ResponseHead, period: int) -> None:
        file.checked_at, file.period = monotonic(), period
        file.date = next(iter(head.values(b"date")), b"")

    async def _fetch_candidates(self) -> None:
        if not self._candidates:
            return
        while self._candidates:
            await self._check_files()
            wait_seconds = self._candidates.wait_seconds(monotonic())
            if wait_seconds:
                await asyncio.sleep(wait_seconds)
                continue
            await self._begin_period()
            if self._candidates:
                await self._fetch(self._candidates.take())
        # The threads that compressed leave heaps of several MiB behind.
        return_free_memory()

    async def _fetch(self, key: FileKey) -> None:
        """Fetch a file without credentials, and keep it if it is the same for everybody."""
        site, period = self._site, self._period
        assert site is not None, "a period has begun"
        head, content = await fetch(self._connections, site, b"GET", key)
        validators = validators_of(head)
        if not may_be_kept(key.target, head, site.base_path):
            return
        digest = hashlib.sha256(content).hexdigest()
        same = self.files.with_content(digest) or await self._kept_by_another_worker(key, digest)
        if same is not None:
            coded = same.coding, same.content
        else:
            coded = await best_coding(content, media_type(head))
        file = store(key, head, validators, digest, coded)
        self._checked(file, head, period)
        gone = self.files.add(file)
        if self._disk is not None:
            await _in_thread(partial(self._disk.write, file))
            for other in gone:
                await _in_thread(partial(self._disk.remove, other.key))

    async def _kept_by_another_worker(self, key: FileKey, digest: str) -> StoredFile | None:
        if self._disk is None:
            return None
        file = await _in_thread(partial(self._disk.read, key))
        return file if file is not None and file.digest == digest else None

    async def _drop_all(self) -> None:
        self.files.clear()
        self._candidates.clear()
        self._used.clear()
        if self._disk is not None:
            await _in_thread(self._disk.clear)


async def _in_thread(work: Callable[[], T]) -> T:
    return await run_in_daemon_thread("static files", work)
