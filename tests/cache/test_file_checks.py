"""Which files in use are checked, and when; test_static_cache.py tests what follows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from proxy.cache.anonymous_fetch import fetch
from proxy.cache.file_checks import MAX_HASHED_FILES, MIN_WATCH_SECONDS, FileChecks, sample
from proxy.cache.memory_store import MemoryStore
from proxy.cache.static_cache import CHECK_SECONDS
from proxy.cache.stored_file import FileKey, StoredFile, coded_content
from proxy.proxying.pool import Pool
from proxy.rules.caching import kept_fields, validators_of
from proxy.rules.site import make_site
from tests.cache.file_server import File, FileServer
from tests.cache.test_memory_store import stored
from tests.edges import PUBLIC

ONE, OTHER = b"/static/1.efd36b46f3b45eb8.js", b"/static/2.efd36b46f3b45eb8.js"
PAUSE_SECONDS = 5.0


def test_a_few_files_with_hashes_are_checked_for_all() -> None:
    """Their names mean one content: all of them would cost Jupyter as much as the page itself."""
    hashed = [stored(b"/%d.efd36b46f3b45eb8.js" % number) for number in range(12)]
    others = [stored(b"/%d.js" % number) for number in range(12)]
    for age, file in enumerate(hashed):
        file.checked_at = -age
    assert sample([*hashed, *others]) == [*others, *hashed[: -MAX_HASHED_FILES - 1 : -1]]


@dataclass
class Checking:
    """Two files that were checked at the time 100."""

    checks: FileChecks
    jupyter: FileServer
    pool: Pool
    one: StoredFile
    other: StoredFile
    now: float = 100.0

    def use(self, file: StoredFile) -> tuple[bool, bool]:
        """Whether it is usable, and whether there is something to check then."""
        usable = self.checks.is_usable(file)
        return usable, self.checks.to_do.is_set()

    async def check(self) -> list[bytes]:
        """What Jupyter is asked about now."""
        self.jupyter.asked.clear()
        self.checks.to_do.clear()
        assert await self.checks.all_hold()
        return [target for method, target, _ in self.jupyter.asked if method == b"HEAD"]


@asynccontextmanager
async def checking() -> AsyncIterator[Checking]:
    jupyter = FileServer({ONE: File(b"1"), OTHER: File(b"2")})
    async with asyncio.timeout(60):
        await jupyter.start()
        pool, files = Pool(jupyter.address), MemoryStore(2**20)
        checks = FileChecks(pool, files, CHECK_SECONDS, PAUSE_SECONDS, lambda: it.now)
        checks.site = make_site((PUBLIC,), jupyter.address.origin)
        for target in (ONE, OTHER):
            key = FileKey(b"lab.example.org", target)
            head, content = await fetch(pool, checks.site, b"GET", key)
            digest, best = hashlib.sha256(content).hexdigest(), coded_content(b"", content)
            fields, validators = kept_fields(head), validators_of(head)
            files.add(StoredFile(key, fields, validators, digest, best, compression_tried=False))
        it = Checking(checks, jupyter, pool, *files)
        assert await it.check() == [ONE, OTHER]
        yield it
        checks.close()
        pool.close()
        await jupyter.stop()


async def test_files_in_use_are_checked_every_ten_seconds_at_most() -> None:
    assert CHECK_SECONDS == 10.0
    async with checking() as it:
        it.now = 110.0
        assert it.use(it.one) == (True, False)
        it.now = 110.5
        assert it.use(it.one) == (True, True)
        assert await it.check() == [ONE]
        it.now = 120.4
        assert it.use(it.other) == (True, False), "the last check was not ten seconds ago"
        it.now = 120.5
        assert it.use(it.other) == (True, True)
        assert await it.check() == [OTHER]


async def test_all_files_are_checked_every_few_seconds_at_most() -> None:
    """Whoever can end connections to Jupyter again and again would have it asked as often."""
    async with checking() as it:
        it.checks.end_period()
        it.now = 100.0 + PAUSE_SECONDS - 0.1
        assert it.use(it.one) == (False, False)
        it.now = 100.0 + PAUSE_SECONDS
        assert it.use(it.one) == (False, True)
        assert await it.check() == [ONE, OTHER]
        assert it.use(it.one) == (True, False)


async def test_a_jupyter_that_ends_idle_connections_is_asked_when_a_file_is_wanted() -> None:
    for seconds, asked in ((MIN_WATCH_SECONDS, False), (MIN_WATCH_SECONDS + 0.1, True)):
        async with checking() as it:
            it.now += seconds
            it.pool.move(it.jupyter.address)
            assert it.checks.to_do.is_set() is asked
