"""Static files from the cache: only what Jupyter gives to everybody, and only while it does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import platform
import random
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest

from proxy.access.access_control import AccessControl
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import RevokedFile
from proxy.access.session import Sessions
from proxy.cache.disk_store import DiskStore
from proxy.cache.static_cache import StaticCache
from proxy.cache.stored_file import FileKey, StoredFile, coded_content
from proxy.measures import Measures
from proxy.observe.traffic import Traffic
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.rules.caching import Validators
from proxy.rules.compression import compressible_folders
from proxy.rules.head import RequestHead
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from tests.cache.file_server import IMMUTABLE, NEW, OLD, File, FileServer
from tests.e2e.programs import resident_memory
from tests.edges import PUBLIC, Edge, edge, request
from tests.heads import get
from tests.passwords import write_htpasswd
from tests.rules.test_client import networks

SCRIPT = b"/static/lab/main.efd36b46f3b45eb8.js?v=efd36b46f3b45eb8"
PLAIN = b"/static/lab/bootstrap.js"
ACCEPT = b"Accept-Encoding: gzip, deflate, br, zstd"
CONTENT = b"function hello() { return 'hello'; }\n" * 500
CONTENT_AFTER = b"function upgraded() { return 'new'; }\n" * 500

Answered = tuple[dict[bytes, bytes], bytes, bytes]


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  what happens has no event of its own
        await asyncio.sleep(0.005)


def written(folder: Path) -> list[Path]:
    """The files that are whole: while it is written, one has a temporary name, with a suffix."""
    return [path for path in folder.iterdir() if not path.suffix] if folder.exists() else []


def versions(folder: Path) -> set[tuple[str, int]]:
    """The files that are whole, each with the time at which it was written."""
    found = set()
    for path in written(folder):
        with suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_mtime_ns))
    return found


def head_of(target: bytes) -> RequestHead:
    return get(b"Host: lab.example.org", ACCEPT, target=target)


async def slow_client(running: Edge) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client whose kernel takes little."""
    channel = socket.socket()
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    channel.setblocking(False)
    await asyncio.get_running_loop().sock_connect(channel, ("127.0.0.1", running.port))
    reader, writer = await asyncio.open_connection(sock=channel, limit=2**16)
    running.writers.append(writer)
    return reader, writer


class Caching:
    """An edge with a cache in front of a file server."""

    def __init__(self, running: Edge, cache: StaticCache, jupyter: FileServer) -> None:
        self.edge, self.cache, self.jupyter = running, cache, jupyter
        self.kept: list[StoredFile] = []

    async def get(self, target: bytes, *lines: bytes, method: bytes = b"GET") -> Answered:
        """Fields by their names in lower case, the status line, and the content."""
        answer = await self.edge.ask(request(target, *lines, method=method))
        head, _, content = answer.partition(b"\r\n\r\n")
        status, *fields = head.split(b"\r\n")
        pairs = (line.partition(b": ") for line in fields)
        return {name.lower(): value for name, _, value in pairs}, status, content

    async def fill(self, *targets: bytes) -> None:
        """Ask for each once, and wait until it is kept."""
        for target in targets:
            await self.get(target, ACCEPT)
        await until(lambda: all(target in self.cache.files.targets for target in targets))
        self.kept = list(self.cache.files)
        self.jupyter.asked.clear()

    async def until_dropped(self) -> None:
        """Wait until nothing is left of what was kept; a new version may be kept by then."""
        await until(lambda: not any(file in self.kept for file in self.cache.files))

    @property
    def outcomes(self) -> list[str]:
        return [record.outcome for record in self.edge.records]


class BrokenDisk(DiskStore):
    """Fails as nobody has foreseen: at first, and with the first file."""

    def read_all(self) -> list[StoredFile]:
        raise RuntimeError("of the disk")

    def write(self, file: StoredFile, generation: str) -> None:
        if file.key.target == SCRIPT:
            raise RuntimeError("of the first file")
        super().write(file, generation)


class CountingDisk(DiskStore):
    """Says how many files it has been given and is done with."""

    written = 0

    def write(self, file: StoredFile, generation: str) -> None:
        super().write(file, generation)
        self.written += 1


@asynccontextmanager
async def caching(
    files: dict[bytes, File],
    *,
    folder: Path | None = None,
    disk: DiskStore | None = None,
    check_seconds: float = 3600.0,
    max_bytes: int = 2**20,
    allow: Networks | None = None,
    jupyter: FileServer | None = None,
    compresses: bool = True,
) -> AsyncIterator[Caching]:
    async with asyncio.timeout(60):
        jupyter = jupyter or FileServer(files)
        await jupyter.start()
        compressible = compressible_folders("/") if compresses else ()
        site = make_site((PUBLIC,), jupyter.address.origin, compressible=compressible)
        if allow is not None:
            site = replace(site, allow=allow)
        async with edge(jupyter.address, site=site) as running:
            if folder is not None:
                disk = DiskStore(folder, max_bytes)
            cache = StaticCache(
                running.pool,
                disk,
                max_bytes,
                check_seconds=check_seconds,
                quiet_seconds=0.0,
                retry_seconds=0.05,
            )
            running.router.keep_files(cache)
            running.router.use(site)
            cache.start()
            yield Caching(running, cache, jupyter)
            cache.close()
        await jupyter.stop()


def files() -> dict[bytes, File]:
    return {SCRIPT: File(CONTENT), PLAIN: File(CONTENT[:5000])}


@pytest.mark.both_loops
async def test_the_second_request_does_not_reach_jupyter() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        fields, status, content = await it.get(SCRIPT, ACCEPT)
        assert status == b"HTTP/1.1 200 OK"
        assert it.jupyter.requests(b"GET", SCRIPT) == []
        assert it.outcomes == ["forwarded", "cached"]
    assert brotli.decompress(content) == CONTENT
    assert fields.pop(b"etag").startswith(b'"')
    assert fields.pop(b"age") == b"0"
    assert fields == {
        b"server": b"TornadoServer/6.6",
        b"content-type": b"application/javascript",
        b"last-modified": it.jupyter.files[SCRIPT].last_modified,
        b"cache-control": IMMUTABLE,
        b"date": b"Sun, 06 Nov 2022 08:49:37 GMT",
        b"vary": b"Accept-Encoding",
        b"content-encoding": b"br",
        b"accept-ranges": b"none",
        b"content-length": b"%d" % len(content),
        b"connection": b"close",
    }
    assert it.edge.records[-1].bytes_down == len(content)
    assert it.cache.hits == 1
    assert it.cache.saved_bytes == len(CONTENT) - len(content)


@dataclass
class CachedRoute:
    """As much of a route as its figures need (``measures.MeasuredRoute``)."""

    router: Router
    pool: Pool
    name: str = "lab.example.org/"
    open_requests: OpenRequests = field(default_factory=OpenRequests)
    traffic: Traffic | None = None


async def test_metrics_have_hits_sizes_and_savings() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT, PLAIN)
        _, _, content = await it.get(SCRIPT, ACCEPT)
        await it.get(SCRIPT, ACCEPT)
        route = CachedRoute(it.edge.router, it.edge.pool)
        measures = Measures(lambda: [route], Lockout(5, 60.0), lag=False)
        counts, now = measures.counts(), measures.now(1)
        assert counts.cache_hits == 2
        assert counts.cache_saved_bytes == 2 * (len(CONTENT) - len(content))
        assert (now.cached_files, now.cached_bytes) == (2, it.cache.files.size_bytes)


async def test_without_content_no_octets_are_saved() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        await it.get(SCRIPT, ACCEPT, method=b"HEAD")
        await it.get(SCRIPT, ACCEPT, b"If-None-Match: *")
        assert (it.cache.hits, it.cache.saved_bytes) == (2, 0)
        await it.get(SCRIPT)
        assert it.cache.hits == 2, "the client does not accept the coding"


async def test_what_does_not_shrink_is_kept_as_it_is() -> None:
    font = b"/static/lab/a1b2c3d4e5f60718.woff2"
    async with caching({font: File(b"wOF2" * 400, media=b"font/woff2")}) as it:
        await it.fill(font)
        fields, _, content = await it.get(font)
        assert it.outcomes[-1] == "cached"
    assert content == b"wOF2" * 400
    assert b"content-encoding" not in fields


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="malloc_trim(3) is glibc's: run it on such a Linux"
)
async def test_free_memory_is_returned_after_the_last_file() -> None:
    async with caching(files()) as it:
        blocks = [bytearray(60_000) for _ in range(1000)]
        # The last one keeps those below it from being returned when they are freed.
        del blocks[:-1]
        before = resident_memory(os.getpid())
        await it.fill(SCRIPT)
        await until(lambda: resident_memory(os.getpid()) < before - 40_000_000)


async def test_head_says_the_same_without_content() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        fields, status, _ = await it.get(SCRIPT, ACCEPT)
        assert await it.get(SCRIPT, ACCEPT, method=b"HEAD") == (fields, status, b"")
        assert it.outcomes[-1] == "cached"


CONDITIONS = [
    pytest.param(b"If-None-Match: %b", 304, id="its tag"),
    pytest.param(b"If-None-Match: W/%b", 304, id="its tag, weakly"),
    pytest.param(b'If-None-Match: "x", %b', 304, id="its tag among others"),
    pytest.param(b'If-None-Match: "x"', 200, id="another"),
    pytest.param(b"If-Modified-Since: Sun, 06 Nov 2022 08:49:37 GMT", 304, id="its date"),
    pytest.param(b"If-Modified-Since: Mon, 07 Nov 2022 08:49:37 GMT", 200, id="a later date"),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
async def test_a_browser_that_has_it_gets_no_content(condition: bytes, expected: int) -> None:
    """A later date is that of a newer version, before a downgrade: it has another content."""
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        whole, _, _ = await it.get(SCRIPT, ACCEPT)
        line = condition.replace(b"%b", whole[b"etag"])
        fields, status, content = await it.get(SCRIPT, ACCEPT, line)
        assert it.outcomes[-1] == "cached"
    assert status.startswith(b"HTTP/1.1 %d " % expected)
    if expected == 304:
        assert content == b""
        same = (b"etag", b"vary", b"cache-control", b"last-modified", b"date")
        assert {name: fields[name] for name in same} == {name: whole[name] for name in same}
        assert b"age" in fields, "RFC 9111 section 5.1"
        assert b"content-length" not in fields


FORWARDED = [
    pytest.param((), id="no coding of ours"),
    pytest.param((b"Accept-Encoding: zstd, gzip",), id="another coding"),
    pytest.param((b"Accept-Encoding: br;q=0",), id="the coding is not acceptable"),
    pytest.param((ACCEPT, b"Range: bytes=0-9"), id="a part"),
    pytest.param((ACCEPT, b"Cache-Control: no-cache"), id="Jupyter's own answer"),
    pytest.param((ACCEPT, b"Cache-Control: max-age=0"), id="as fresh as can be"),
    pytest.param((ACCEPT, b"Pragma: no-cache"), id="Jupyter's own answer, in old words"),
]


@pytest.mark.parametrize("lines", FORWARDED)
async def test_what_jupyter_itself_must_answer(lines: tuple[bytes, ...]) -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        _, status, _ = await it.get(SCRIPT, *lines)
        assert status == b"HTTP/1.1 200 OK"
        assert it.outcomes[-1] == "forwarded"
        assert len(it.jupyter.requests(b"GET", SCRIPT)) == 1


async def test_what_is_kept_is_enough_for_who_asks_for_no_more() -> None:
    line = b"Cache-Control: only-if-cached"
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        for target, outcome in ((SCRIPT, "cached"), (PLAIN, "forwarded")):
            _, status, _ = await it.get(target, ACCEPT, line)
            assert (status, it.outcomes[-1]) == (b"HTTP/1.1 200 OK", outcome)


async def test_a_file_is_as_old_as_what_jupyter_has_said_of_it() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        (file,) = it.cache.files
        file.checked_at -= 600
        fields, _, _ = await it.get(SCRIPT, ACCEPT)
        assert 600 <= int(fields[b"age"]) < 660


async def test_what_the_cache_has_begun_is_not_continued_by_jupyter() -> None:
    """These would be octets of another coding, and tornado does not look at If-Range."""
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        fields, _, _ = await it.get(SCRIPT, ACCEPT)
        beginning = b"If-Range: " + fields[b"etag"]
        _, status, content = await it.get(SCRIPT, b"Range: bytes=9-", beginning)
        assert (status, content, it.outcomes[-1]) == (b"HTTP/1.1 200 OK", CONTENT, "forwarded")
        await it.get(SCRIPT, b"Range: bytes=9-", b'If-Range: "of-jupyter"')
        refused, allowed = it.jupyter.requests(b"GET", SCRIPT)
        assert b"range:" not in refused.lower()
        assert b"range:" in allowed.lower()


async def test_only_what_jupyter_gives_to_everybody_is_kept() -> None:
    """What somebody with a cookie gets makes no difference: labgate asks without."""
    secret = b"/static/secret.0123456789abcdef.js"
    async with caching({secret: File(CONTENT, private=True), SCRIPT: File(CONTENT)}) as it:
        _, status, _ = await it.get(secret, ACCEPT, b"Cookie: username=me; _xsrf=s3cret")
        assert status == b"HTTP/1.1 200 OK"
        await it.get(SCRIPT, ACCEPT, b"Cookie: username=me", b"Referer: https://lab.example.org/x")
        await until(lambda: SCRIPT in it.cache.files.targets)
        assert secret not in it.cache.files.targets
        own = [head for _, _, head in it.jupyter.asked if b"User-Agent: labgate/" in head]
    assert len(own) == 2
    for head in own:
        lowered = head.lower()
        assert not any(name in lowered for name in (b"cookie", b"authorization", b"referer"))
        assert b"s3cret" not in lowered


NOT_KEPT = [
    pytest.param(SCRIPT, File(CONTENT, fields=b"Set-Cookie: a=b\r\n"), id="sets a cookie"),
    pytest.param(SCRIPT, File(CONTENT, cache_control=b"no-cache"), id="may change"),
    pytest.param(SCRIPT, File(CONTENT, fields=b"Vary: Cookie\r\n"), id="varies"),
    pytest.param(b"/api/contents/x", File(CONTENT), id="an API"),
    pytest.param(b"/files/x.js", File(CONTENT), id="a file of the user"),
    pytest.param(b"/lab", File(CONTENT, media=b"text/html"), id="the page"),
    pytest.param(SCRIPT + b"&token=x", File(CONTENT), id="with a token"),
]


async def test_what_must_not_be_changed_is_kept_as_it_is() -> None:
    """RFC 9111 section 5.2.2.6; also if the same content may be compressed elsewhere."""
    as_it_is = File(CONTENT, cache_control=IMMUTABLE + b", no-transform")
    others = [b"/static/%d.0123456789abcdef.js" % number for number in range(2)]
    async with caching(dict.fromkeys(others, File(CONTENT)) | {SCRIPT: as_it_is}) as it:
        for target, coding in ((others[0], b"br"), (SCRIPT, None), (others[1], b"br")):
            await it.fill(target)
            fields, _, content = await it.get(target, ACCEPT)
            assert (fields.get(b"content-encoding"), it.outcomes[-1]) == (coding, "cached")
            assert content == CONTENT or coding


@pytest.mark.parametrize(("target", "file"), NOT_KEPT)
async def test_what_is_not_kept(target: bytes, file: File) -> None:
    async with caching({target: file, PLAIN: File(CONTENT)}) as it:
        await it.get(target, ACCEPT)
        # Whatever comes later is kept later.
        await it.fill(PLAIN)
        assert target not in it.cache.files.targets


# Preloads


LINK = b"<" + SCRIPT + b">;rel=preload;as=script"
FONT = b"/static/lab/a1b2c3d4e5f60718.woff2"


def preloading() -> dict[bytes, File]:
    """A page, scripts and what else stands beside them."""
    listing = File(b"{}", cache_control=b"no-cache", media=b"application/json")
    font = File(b"wOF2" * 400, media=b"font/woff2")
    return {
        **files(),
        FONT: font,
        b"/lab?reset": File(
            b"<html>", cache_control=b"no-cache", media=b"text/html; charset=UTF-8"
        ),
        b"/lab/api/settings": listing,
    }


async def test_the_page_names_the_scripts_that_it_needed_before() -> None:
    async with caching(preloading()) as it:
        await it.fill(SCRIPT, FONT)
        await it.get(SCRIPT, ACCEPT)
        fields, _, _ = await it.get(b"/lab?reset")
        assert b"link" not in fields, "nobody has loaded the page"
        await it.get(SCRIPT, ACCEPT)
        await it.get(FONT)
        fields, _, _ = await it.get(b"/lab?reset")
        assert fields[b"link"] == LINK
        assert fields[b"content-type"] == b"text/html; charset=UTF-8"
        for target in (b"/lab/api/settings", b"/lab/tree/none", SCRIPT):
            fields, _, _ = await it.get(target)
            assert b"link" not in fields, target
        fields, _, _ = await it.get(b"/lab?reset", method=b"HEAD")
        assert b"link" not in fields
    added = ("preload", b"Link", None, LINK)
    assert [added in record.changes_down for record in it.edge.records].count(True) == 1


@pytest.mark.parametrize("status", [b"302 Found", b"401 Unauthorized", b"403 Forbidden"])
async def test_who_is_not_logged_in_learns_no_names(status: bytes) -> None:
    """Jupyter's answers to them are pages, too."""
    async with caching(preloading()) as it:
        await it.get(b"/lab?reset")
        await it.fill(SCRIPT)
        await it.get(SCRIPT, ACCEPT)
        fields, _, _ = await it.get(b"/lab?reset")
        assert fields[b"link"] == LINK
        it.jupyter.files[b"/lab?reset"].status = status
        fields, line, _ = await it.get(b"/lab?reset")
        assert (line, b"link" in fields) == (b"HTTP/1.1 " + status, False)


async def test_the_first_load_teaches_the_second_one() -> None:
    async with caching(preloading()) as it:
        await it.get(b"/lab?reset")
        await it.fill(SCRIPT)
        fields, _, _ = await it.get(b"/lab?reset")
        assert fields[b"link"] == LINK


async def test_only_what_is_known_to_be_jupyters_is_named() -> None:
    async with caching(preloading()) as it:
        await it.get(b"/lab?reset")
        await it.fill(SCRIPT)
        it.jupyter.files[SCRIPT] = File(CONTENT_AFTER)
        it.jupyter.files[PLAIN] = File(CONTENT_AFTER[:5000])
        await it.jupyter.stop()
        await it.jupyter.start()
        fields, _, _ = await it.get(b"/lab?reset")
        assert b"link" not in fields


# Jupyter's ends


async def test_after_a_restart_nothing_is_used_before_it_was_checked() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT, PLAIN)
        await it.jupyter.stop()
        await until(lambda: it.cache.find(head_of(SCRIPT)) is None)
        await it.jupyter.start()
        await it.get(SCRIPT, ACCEPT)
        assert it.outcomes[-1] == "forwarded"
        await until(lambda: it.cache.find(head_of(SCRIPT)) and it.cache.find(head_of(PLAIN)))
        assert len(it.jupyter.requests(b"HEAD", SCRIPT)) == 1
        assert len(it.jupyter.requests(b"GET", PLAIN)) == 1, "no hash: its content is compared"
        await it.get(SCRIPT, ACCEPT)
        assert it.outcomes[-1] == "cached"


async def test_a_connection_that_is_lost_is_reason_enough_to_ask() -> None:
    """Behind a balancer there may be another Jupyter since then."""
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        assert it.cache.find(head_of(SCRIPT))
        it.jupyter.end_used()
        await until(lambda: not it.edge.pool.connections)
        assert it.cache.find(head_of(SCRIPT)) is None
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        assert len(it.jupyter.requests(b"HEAD", SCRIPT)) == 1


CHANGES = [
    pytest.param(PLAIN, File(CONTENT[:5000], last_modified=NEW), id="another date"),
    pytest.param(PLAIN, File(CONTENT[:4999]), id="another size"),
    pytest.param(PLAIN, File(CONTENT_AFTER[:5000]), id="another content, all else the same"),
    pytest.param(SCRIPT, File(CONTENT, last_modified=NEW), id="a hash, and another date"),
    pytest.param(SCRIPT, File(CONTENT_AFTER), id="a hash, and another size"),
    pytest.param(PLAIN, None, id="it is gone"),
]


@pytest.mark.parametrize(("target", "file"), CHANGES)
async def test_one_other_file_drops_all_of_them(
    target: bytes, file: File | None, tmp_path: Path
) -> None:
    """An upgraded Jupyter: what belongs together must not come from two versions."""
    async with caching(files(), folder=tmp_path / "kept") as it:
        await it.fill(SCRIPT, PLAIN)
        await until(lambda: len(written(tmp_path / "kept")) == 2)
        before = versions(tmp_path / "kept")
        await it.jupyter.stop()
        if file is None:
            del it.jupyter.files[target]
        else:
            it.jupyter.files[target] = file
        await it.jupyter.start()
        _, _, content = await it.get(target)
        assert content == (file.content if file is not None else b"")
        await it.until_dropped()
        await until(lambda: before.isdisjoint(versions(tmp_path / "kept")))


async def test_a_jupyter_that_is_upgraded_while_it_runs() -> None:
    """Without a hash in its name a file is used for no longer than between two checks."""
    async with caching(files(), check_seconds=0.05) as it:
        await it.fill(SCRIPT, PLAIN)
        it.jupyter.files[PLAIN] = File(CONTENT_AFTER)
        await asyncio.sleep(0.06)
        await it.get(PLAIN, ACCEPT)
        assert it.outcomes[-1] == "forwarded"
        _, _, content = await it.get(PLAIN)
        assert content == CONTENT_AFTER
        await it.until_dropped()


async def test_files_in_use_are_checked_while_they_are_used() -> None:
    async with caching(files(), check_seconds=0.05) as it:
        await it.fill(SCRIPT)
        await asyncio.sleep(0.06)
        await it.get(SCRIPT, ACCEPT)
        assert it.outcomes[-1] == "cached", "nobody waits for the check"
        await until(lambda: it.jupyter.requests(b"HEAD", SCRIPT))
        assert it.jupyter.requests(b"GET", SCRIPT) == []


async def test_no_check_waits_for_a_file_that_is_compressed() -> None:
    noise = random.Random(1)
    text = bytes(noise.choices(b"abcdefghij (){};\n", k=1_500_000))
    large = b"/static/lab/large.0123456789abcdef.js"
    async with caching({**files(), large: File(text)}, max_bytes=2**24) as it:
        await it.fill(SCRIPT)
        await it.get(large, ACCEPT)
        await until(lambda: len(it.jupyter.requests(b"GET", large)) == 2)
        it.edge.router.use(it.edge.router.site)
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        assert large not in it.cache.files.targets, "it was still being compressed"


async def test_a_jupyter_that_moves_is_asked_again() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        other = FileServer({SCRIPT: File(CONTENT_AFTER)})
        await other.start()
        it.edge.pool.move(other.address)
        assert it.cache.find(head_of(SCRIPT)) is None
        _, _, content = await it.get(SCRIPT)
        assert content == CONTENT_AFTER
        await it.until_dropped()
        await other.stop()


async def test_an_upstream_that_answers_head_otherwise_is_asked_with_get() -> None:
    class Quirky(FileServer):
        def _answer(self, method: bytes, target: bytes, head: bytes) -> bytes:
            answer = super()._answer(method, target, head)
            return answer.replace(b"Last-Modified", b"X") if method == b"HEAD" else answer

    async with caching({}, jupyter=Quirky(files())) as it:
        await it.fill(SCRIPT)
        it.edge.router.use(it.edge.router.site)
        await until(lambda: it.cache.find(head_of(SCRIPT)))


# Who is asked before


async def test_the_rules_are_asked_before_the_cache() -> None:
    async with caching(files(), allow=networks("127.0.0.0/8")) as it:
        await it.fill(SCRIPT)
        answer = await it.edge.ask(
            request(SCRIPT, ACCEPT).replace(b"lab.example.org", b"other.example.org")
        )
        assert answer.startswith(b"HTTP/1.1 421")
        _, status, _ = await it.get(SCRIPT, ACCEPT, b"Origin: https://evil.example")
        assert status.startswith(b"HTTP/1.1 403")
        it.edge.router.use(replace(it.edge.router.site, allow=networks("192.0.2.0/24")))
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        _, status, _ = await it.get(SCRIPT, ACCEPT)
        assert status.startswith(b"HTTP/1.1 403")


async def test_a_password_is_asked_for_before_the_cache(tmp_path: Path) -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        it.edge.router.protect(
            AccessControl(
                Lockout(10, 60.0),
                Htpasswd(write_htpasswd(tmp_path)),
                Sessions(b"k" * 32),
                revoke=RevokedFile(tmp_path).save,
            )
        )
        it.edge.router.use(replace(it.edge.router.site, requires_login=True))
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        _, status, _ = await it.get(SCRIPT, ACCEPT)
        assert status.startswith(b"HTTP/1.1 401")
        password = b"Authorization: Basic " + base64.b64encode(b"ada:sesame")
        fields, status, _ = await it.get(SCRIPT, ACCEPT, password)
        assert (status, it.outcomes[-1]) == (b"HTTP/1.1 200 OK", "cached")
        cookie = b"Cookie: " + fields[b"set-cookie"].partition(b";")[0]
        _, status, _ = await it.get(SCRIPT, ACCEPT, cookie)
        assert (status, it.outcomes[-1]) == (b"HTTP/1.1 200 OK", "cached")
        portal = (b"https://portal.example",)
        it.edge.router.use(replace(it.edge.router.site, embed_in=portal))
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        fields, _, _ = await it.get(SCRIPT, ACCEPT, password)
        assert it.outcomes[-1] == "cached"
        assert fields[b"set-cookie"].endswith(b"; Secure; SameSite=None; Partitioned")


async def test_a_token_is_jupyters_to_judge() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        it.edge.router.protect(AccessControl(Lockout(10, 60.0)))
        await it.get(SCRIPT, ACCEPT, b"Authorization: token guessed")
        assert it.outcomes[-1] == "forwarded"
        await it.get(SCRIPT, ACCEPT)
        assert it.outcomes[-1] == "cached"


# Large files


async def test_a_client_that_reads_slowly_and_one_that_leaves() -> None:
    font = b"/static/lab/a1b2c3d4e5f60718.woff2"
    content = random.Random(4).randbytes(6_000_000)
    async with caching({font: File(content, media=b"font/woff2")}, max_bytes=2**24) as it:
        await it.fill(font)
        reader, writer = await slow_client(it.edge)
        writer.write(request(font))
        await reader.readuntil(b"\r\n\r\n")
        assert it.outcomes == ["forwarded"], "the rest waits for the client"
        _, other = await slow_client(it.edge)
        other.write(request(font))
        await until(lambda: it.edge.open_requests.count == 2)
        other.transport.abort()
        await until(lambda: it.outcomes == ["forwarded", "the client went away"])
        left = it.edge.records[-1]
        assert (left.status, left.bytes_up) == (200, 0)
        assert left.bytes_down < len(content)
        assert await reader.read() == content
        await until(lambda: it.outcomes[-1] == "cached")
        assert it.edge.records[-1].bytes_down == len(content)


async def test_what_there_is_no_room_for_goes(tmp_path: Path) -> None:
    one, two = b"/static/0000000000000001.woff2", b"/static/0000000000000002.woff2"
    font = File(bytes(300_000), media=b"font/woff2")
    both = {one: font, two: File(bytes(300_001), media=b"font/woff2")}
    async with caching(both, max_bytes=500_000, folder=tmp_path / "kept") as it:
        await it.fill(one)
        await it.fill(two)
        await until(lambda: len(written(tmp_path / "kept")) == 1)
        assert set(it.cache.files.targets) == {two}


async def test_what_nobody_has_foreseen_does_not_end_the_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with caching(files(), disk=BrokenDisk(tmp_path / "kept", 2**20)) as it:
        await it.fill(SCRIPT)
        await it.fill(PLAIN)
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    texts = [str(record.exc_info[1]) for record in errors if record.exc_info]
    assert texts == ["of the disk", "of the first file"]


async def test_names_that_anybody_can_write_keep_nothing_out() -> None:
    """Jupyter answers to any ``?v=``; only those that it writes itself are kept."""
    version = b"?v=" + hashlib.sha512(CONTENT[:5000]).hexdigest().encode("ascii")
    junk = [name + b"?v=%x" % number for number in range(5) for name in (PLAIN, SCRIPT[:37])]
    known = {**files(), PLAIN + version: File(CONTENT[:5000])}
    async with caching(known | dict.fromkeys(junk, File(CONTENT))) as it:
        for target in junk:
            await it.get(target, ACCEPT)
        await it.fill(SCRIPT, PLAIN, PLAIN + version)
        assert set(it.cache.files.targets) == {SCRIPT, PLAIN, PLAIN + version}


async def test_the_same_content_is_compressed_once() -> None:
    async with caching({SCRIPT: File(CONTENT), PLAIN: File(CONTENT)}) as it:
        await it.fill(SCRIPT, PLAIN)
        one, other = it.cache.files
        assert one.best is other.best


async def test_what_no_compression_makes_smaller_is_tried_once(tmp_path: Path) -> None:
    """Neither after a restart nor under another name is it compressed again."""
    noise = File(random.Random(1).randbytes(5000))
    folder = tmp_path / "kept"
    async with caching({SCRIPT: noise}, folder=folder) as it:
        await it.fill(SCRIPT)
        await until(lambda: written(folder))
        jupyter = it.jupyter
    async with caching({}, folder=folder, jupyter=jupyter) as it:
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        assert jupyter.requests(b"GET", SCRIPT) == [], "it was read from the disk"
        jupyter.files[PLAIN] = noise
        await it.fill(PLAIN)
        one, other = it.cache.files
        assert (one.best.coding, one.best.octets) == (b"", noise.content)
        assert one.best is other.best
        it.edge.router.use(replace(it.edge.router.site, compressible=()))
        assert len(it.cache.files) == 2, "it is the same in any case"


@pytest.mark.parametrize("same", [True, False])
async def test_what_another_worker_has_compressed_is_used(tmp_path: Path, same: bool) -> None:
    disk = DiskStore(tmp_path / "kept", 2**20)
    kept = CONTENT if same else CONTENT_AFTER
    # In octets that this labgate would not make.
    other = coded_content(b"br", brotli.compress(kept, quality=1))
    async with caching(files(), disk=disk) as it:
        await it.cache._disk_read.wait()
        length = b"%d" % len(kept)
        validators = Validators(OLD, b"", length, b"application/javascript", IMMUTABLE)
        digest = hashlib.sha256(kept).hexdigest()
        key = FileKey(b"lab.example.org", SCRIPT)
        file = StoredFile(key, (), validators, digest, other, compression_tried=True)
        disk.write(file, disk.generation())
        await it.fill(SCRIPT)
        _, _, content = await it.get(SCRIPT, ACCEPT)
        assert (content == other.octets) == same
        assert brotli.decompress(content) == CONTENT


async def test_a_worker_that_is_behind_leaves_what_others_have_kept_since(tmp_path: Path) -> None:
    """It drops its own files when it notices the upgrade, and none of the upgraded Jupyter."""
    folder = tmp_path / "kept"
    disk, disk_behind = CountingDisk(folder, 2**20), CountingDisk(folder, 2**20)
    async with caching(files(), disk=disk) as one, caching(files(), disk=disk_behind) as behind:
        await one.fill(SCRIPT, PLAIN)
        await behind.fill(SCRIPT, PLAIN)
        await until(lambda: disk.written == disk_behind.written == 2)
        for it in (one, behind):
            await it.jupyter.stop()
            it.jupyter.files[PLAIN] = File(CONTENT_AFTER)
            await it.jupyter.start()
        await one.get(PLAIN)
        await until(lambda: DiskStore(folder, 1).generation())
        await one.fill(SCRIPT, PLAIN)
        await until(lambda: disk.written == 4)
        await behind.get(PLAIN)
        await behind.until_dropped()
        await behind.fill(SCRIPT)
    async with caching({}, folder=folder, jupyter=one.jupyter) as it:
        await it.cache._disk_read.wait()
        assert set(it.cache.files.targets) == {SCRIPT, PLAIN}


async def test_a_worker_drops_its_files_as_often_as_jupyter_is_upgraded(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with caching(files(), folder=folder) as it:
        generations = {""}
        for number in range(3):
            await it.fill(SCRIPT)
            await until(lambda: written(folder))
            it.jupyter.files[SCRIPT] = File(CONTENT_AFTER[number:])
            it.edge.router.use(it.edge.router.site)
            await until(lambda: DiskStore(folder, 1).generation() not in generations)
            generations.add(DiskStore(folder, 1).generation())
            assert not written(folder)


async def test_what_another_worker_has_dropped_for_nothing_is_dropped_again(tmp_path: Path) -> None:
    """Jupyter has confirmed our files since, and then it is upgraded."""
    folder = tmp_path / "kept"
    async with caching(files(), folder=folder) as it:
        await it.fill(SCRIPT)
        await until(lambda: written(folder))
        DiskStore(folder, 1).drop("")
        it.edge.router.use(it.edge.router.site)
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        await it.fill(PLAIN)
        await until(lambda: written(folder))
        it.jupyter.files[SCRIPT] = File(CONTENT_AFTER)
        it.edge.router.use(it.edge.router.site)
        await until(lambda: not written(folder))


async def test_what_was_being_written_when_all_was_dropped_is_not_read_again(
    tmp_path: Path,
) -> None:
    """Also in one process: what a thread writes is waited for by nobody else."""
    folder = tmp_path / "kept"

    class SlowDisk(DiskStore):
        dropped = threading.Event()

        def write(self, file: StoredFile, generation: str) -> None:
            self.dropped.wait()
            super().write(file, generation)

    async with caching(files(), disk=SlowDisk(folder, 2**20)) as it:
        await it.fill(SCRIPT)
        it.jupyter.files[SCRIPT] = File(CONTENT_AFTER)
        it.edge.router.use(it.edge.router.site)
        await until(lambda: not it.cache.files.targets)
        await until(lambda: DiskStore(folder, 1).generation())
        SlowDisk.dropped.set()
        await it.fill(SCRIPT)
        await until(lambda: written(folder))
        (file,) = DiskStore(folder, 2**20).read_all()
    assert file.digest == hashlib.sha256(CONTENT_AFTER).hexdigest()


# Without compression


async def test_what_is_not_to_be_compressed_is_kept_as_it_is() -> None:
    async with caching(files(), compresses=False) as it:
        await it.fill(SCRIPT)
        fields, _, content = await it.get(SCRIPT, ACCEPT)
        assert (content, it.outcomes[-1]) == (CONTENT, "cached")
        assert b"content-encoding" not in fields


@pytest.mark.parametrize("before", [True, False])
async def test_a_reload_switches_compression(before: bool) -> None:
    async with caching(preloading(), compresses=before) as it:
        await it.fill(SCRIPT, FONT)
        compressible = () if before else compressible_folders("/")
        it.edge.router.use(replace(it.edge.router.site, compressible=compressible))
        assert set(it.cache.files.targets) == {FONT}, "it is the same in any case"
        await it.fill(SCRIPT)
        fields, _, _ = await it.get(SCRIPT, ACCEPT)
        assert (b"content-encoding" in fields, it.outcomes[-1]) == (not before, "cached")


@pytest.mark.parametrize("before", [True, False])
async def test_a_restart_switches_compression(before: bool, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with caching(files(), folder=folder, compresses=before) as it:
        await it.fill(SCRIPT)
        await until(lambda: written(folder))
        jupyter = it.jupyter
    async with caching({}, folder=folder, jupyter=jupyter, compresses=not before) as it:
        await it.cache._disk_read.wait()
        assert SCRIPT not in it.cache.files.targets
        await it.fill(SCRIPT)
        fields, _, _ = await it.get(SCRIPT, ACCEPT)
        assert (b"content-encoding" in fields, it.outcomes[-1]) == (not before, "cached")


# Across restarts


async def test_a_restart_of_labgate_keeps_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    async with caching(files(), folder=folder) as it:
        await it.fill(SCRIPT)
        await until(lambda: written(folder))
        jupyter = it.jupyter
    assert folder.stat().st_mode & 0o777 == 0o700
    async with caching({}, folder=folder, jupyter=jupyter) as it:
        await until(lambda: it.cache.find(head_of(SCRIPT)))
        assert len(jupyter.requests(b"HEAD", SCRIPT)) == 1
        assert jupyter.requests(b"GET", SCRIPT) == []
        fields, _, content = await it.get(SCRIPT, ACCEPT)
    assert brotli.decompress(content) == CONTENT
    assert fields[b"content-encoding"] == b"br"
