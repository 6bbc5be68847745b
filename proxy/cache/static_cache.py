"""Finds static files for requests; fetches and checks them in the background.

A file is used only in the *period* in which it was checked (``FileChecks``). A period begins when a
connection to Jupyter is opened that carries nothing (``UpstreamWatch``), and ends when that or any
other connection is lost, so at the latest with the Jupyter that was asked. Within it, of the files
in use those without a hash of their content in their names, and a few of the others, are checked
again every ``CHECK_SECONDS`` at most, and one without is used only that long after a check. A
request that finds no usable file is forwarded: nobody waits for a check, and no check for a new
file.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

from proxy.cache.anonymous_fetch import Connections, fetch
from proxy.cache.best_coding import best_coding
from proxy.cache.candidates import QUIET_SECONDS, Candidates
from proxy.cache.disk_access import DiskAccess
from proxy.cache.disk_store import DiskStore
from proxy.cache.file_checks import FileChecks
from proxy.cache.gzip_copies import GzipCopies
from proxy.cache.memory_store import MemoryStore
from proxy.cache.preloads import Preloads
from proxy.cache.stored_file import CodedContent, FileAnswer, FileKey, StoredFile
from proxy.errors import UpstreamError
from proxy.rules.caching import (
    Validators,
    head_bytes,
    is_page,
    is_script,
    is_version_of,
    kept_fields,
    may_answer,
    may_be_compressed,
    may_be_kept,
    validators_of,
)
from proxy.rules.compression import media_type
from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.rules.site import Site
from proxy.runtime.memory import return_free_memory
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate")

CHECK_SECONDS = 10.0
RETRY_SECONDS = 5.0
LAB = b"lab"
"""JupyterLab's page and its variants are below it."""


class StaticCache:
    """The static files of one upstream.

    Attributes:
        files: Those in memory.
        hits: Requests that were answered from here.
        page_prefix: How the targets of JupyterLab's pages begin, and some others.
        saved_bytes: How many fewer bytes clients got than Jupyter would have sent to them.

    Args:
        connections: To Jupyter, for requests.
        disk: None keeps nothing across restarts.
        max_bytes: What the files in memory may take.
        check_seconds: Files in use are checked this often at most.
        quiet_seconds: How long after the last new one files are fetched.
        retry_seconds: How long after Jupyter could not be reached, or was asked about all files, it
            is asked again.
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
        self.page_prefix = LAB
        self._connections = connections
        self._disk = DiskAccess(disk)
        self._retry_seconds = retry_seconds
        self._checks = FileChecks(connections, self.files, check_seconds, retry_seconds)
        self._candidates = Candidates(self.files, quiet_seconds)
        self._gzip_copies = GzipCopies(self.files)
        self._preloads = Preloads()
        self._to_fetch = asyncio.Event()
        self._disk_read = asyncio.Event()
        self._compresses = True
        self._drops = 0
        self._generation = ""
        self._tasks: list[asyncio.Task[None]] = []

    # For requests

    def find(self, request: RequestHead) -> tuple[StoredFile, CodedContent] | None:
        """What answers the request: a file that is known to be Jupyter's, in one coding."""
        hosts = request.values(b"host")
        if not may_answer(request) or len(hosts) != 1:
            return None
        file = self.files.get(FileKey(hosts[0].lower(), request.target))
        if file is None or not self._checks.is_usable(file):
            return None
        selected = file.select(request)
        if selected is None:
            self._gzip_copies.want(file, request)
            return None
        return file, selected

    def count(self, request: RequestHead, file: StoredFile, answer: FileAnswer) -> None:
        """The request was answered with this file."""
        self.hits += 1
        if answer.content:
            self.saved_bytes += file.length - len(answer.content)
            if file.script:
                self._script_sent(request, file.key, len(answer.content))

    def preload_fields(
        self, request: RequestHead, response: ResponseHead, fields: list[Field]
    ) -> list[Field]:
        """What a response that is sent with ``fields`` says of the scripts that its page needs."""
        hosts = request.values(b"host")
        if response.status != 200 or request.method != b"GET" or not is_page(response):
            return []
        if len(hosts) != 1:
            return []
        authority = hosts[0].lower()
        self._preloads.page_sent(request.arrival.peer, authority, monotonic())
        value = self._preloads.link(authority, head_bytes(fields), self._is_usable)
        return [(b"Link", value)] if value else []

    def _script_sent(self, request: RequestHead, key: FileKey, size: int) -> None:
        self._preloads.script_sent(request.arrival.peer, key, size, monotonic())

    def _is_usable(self, key: FileKey) -> bool:
        file = self.files.get(key)
        return file is not None and self._checks.is_usable(file)

    def notice(self, request: RequestHead, response: ResponseHead) -> None:
        """A response was forwarded: fetch the file, too, if it may be kept."""
        site, hosts = self._checks.site, request.values(b"host")
        if site is None or request.method != b"GET" or len(hosts) != 1:
            return
        key = FileKey(hosts[0].lower(), request.target)
        if key in self.files or not may_be_kept(request.target, response, site.base_path):
            return
        if is_script(media_type(response)):
            self._script_sent(request, key, int(response.values(b"content-length")[0]))
        if self._candidates.add(key, monotonic()):
            self._to_fetch.set()

    # Its life

    def start(self) -> None:
        """Begin to work in the background."""
        self._tasks = [
            spawn(self._read_disk(), "static files on disk"),
            # Apart: a check must not wait until a file is compressed, which may take minutes.
            spawn(self._repeat(self._check_files, self._checks.to_do), "checks of static files"),
            spawn(self._repeat(self._fetch_candidates, self._to_fetch), "new static files"),
            spawn(self._repeat(self._copy, self._gzip_copies.to_do), "static files in gzip"),
        ]

    def use(self, site: Site) -> None:
        """From now on this is the configuration: nothing is used before it was checked."""
        self.page_prefix = site.base_path.encode() + LAB
        self._checks.site = site
        if self._compresses != bool(site.compressible):
            self._compresses = bool(site.compressible)
            self._drops += 1
            for file in self.files:
                if not self._is_coded_well(file):
                    self.files.remove(file.key)
        self._checks.end_period()
        self._checks.to_do.set()
        self._to_fetch.set()

    def close(self) -> None:
        """End the work."""
        for task in self._tasks:
            task.cancel()
        self._checks.close()

    @property
    def folder(self) -> Path | None:
        """Where the files on disk are; None if none are."""
        return self._disk.folder

    async def forget_disk(self) -> None:
        """Keep nothing on disk, after ``close``."""
        await self._disk.end()

    # In the background

    async def _repeat(self, work: Callable[[], Awaitable[None]], to_do: asyncio.Event) -> None:
        """Do the work whenever there is some, and again where Jupyter was not there for it."""
        await self._disk_read.wait()
        while True:
            await to_do.wait()
            to_do.clear()
            try:
                await work()
                continue
            except (UpstreamError, OSError, TimeoutError):
                pass  # Jupyter is not there; whoever asks for it gets that from the forwarder.
            except Exception:
                log.exception("cannot keep a static file; going on with the others")
            await asyncio.sleep(self._retry_seconds)
            to_do.set()

    async def _read_disk(self) -> None:
        try:
            self._generation = await self._disk.generation()
            for file in reversed(await self._disk.read_all()):
                if self._is_coded_well(file):
                    self.files.add(file)
        except Exception:
            log.exception("cannot read the static files on disk; going on without them")
        finally:
            self._disk_read.set()

    async def _check_files(self) -> None:
        generation = await self._disk.generation()
        if await self._checks.all_hold():
            self._generation = generation
            return
        log.info(
            "Jupyter serves other scripts and styles than before: their cached copies are dropped"
        )
        self._drops += 1
        self.files.clear()
        self._candidates.clear()
        self._preloads.clear()
        self._generation = await self._disk.drop(self._generation)

    async def _fetch_candidates(self) -> None:
        if not self._candidates:
            return
        while self._candidates:
            wait_seconds = self._candidates.wait_seconds(monotonic())
            if wait_seconds:
                await asyncio.sleep(wait_seconds)
                continue
            await self._checks.begin_period()
            if self._candidates:
                await self._fetch(self._candidates.take())
        # The threads that compressed leave heaps of several MiB behind.
        return_free_memory()

    async def _copy(self) -> None:
        await self._gzip_copies.make()
        return_free_memory()

    async def _fetch(self, key: FileKey) -> None:
        """Fetch a file without credentials, and keep it if it is the same for everybody."""
        site, period, drops = self._checks.site, self._checks.period, self._drops
        assert site is not None, "a period has begun"
        generation = await self._disk.generation()
        head, content = await fetch(self._connections, site, b"GET", key)
        validators = validators_of(head)
        if not may_be_kept(key.target, head, site.base_path):
            return
        if not is_version_of(key.target, content):
            return
        digest = hashlib.sha256(content).hexdigest()
        compress = self._may_compress(validators)
        same = self.files.with_content(digest) or await self._disk.with_content(key, digest)
        if same is not None and same.is_coded_well(compress=compress):
            best = same.best
        else:
            best = await best_coding(content, compress=compress)
        if drops != self._drops:
            # Meanwhile it turned out that Jupyter is another, and this may be the former one's; or
            # compression was switched on or off.
            return
        file = StoredFile(key, kept_fields(head), validators, digest, best, compress)
        self._checks.checked(file, head, period)
        gone = self.files.add(file)
        if period != self._checks.period:
            self._checks.to_do.set()
        await self._disk.write(file, generation)
        await self._disk.remove(gone)

    def _may_compress(self, validators: Validators) -> bool:
        return self._compresses and may_be_compressed(validators)

    def _is_coded_well(self, file: StoredFile) -> bool:
        return file.is_coded_well(compress=self._may_compress(file.validators))
