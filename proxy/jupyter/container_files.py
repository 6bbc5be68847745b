"""The files of a container, running or not, through the Engine API's archives.

Streams: whatever their size, a few chunks are in memory. tarfile waits for its data, so it
has a thread, which asks the event loop for every chunk.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import IO, Any, TypeVar, cast

import aiodocker
import aiohttp

from proxy.jupyter.tar_copy import OnBytes, Records, copy_tree, read_tree

T = TypeVar("T")

_MAX_WAITING_CHUNKS = 4
_SOCKET_BIT = 1 << 24  # of Go's fs.FileMode


class ContainerFiles:
    """The files of one container.

    Methods raise what ``EngineError`` names, and ``tarfile.TarError`` for an archive that is
    damaged.
    """

    def __init__(self, docker: aiodocker.Docker, identity: str) -> None:
        self._docker = docker
        self._where = f"containers/{identity}/archive"

    async def read(self, folder: str, on_bytes: OnBytes) -> Records:
        """The records of everything in ``folder``."""
        async with self._stream(folder) as source:
            return await _in_thread(lambda: read_tree(source, on_bytes), source)

    async def copy(
        self, folder: str, to: ContainerFiles, into: str, mounted: frozenset[str], on_bytes: OnBytes
    ) -> Records:
        """Copy ``folder`` to ``into`` of another container; the records of what was copied."""
        async with self._stream(folder) as source:
            sink = _Sink()
            work = to.upload(sink.chunks())
            upload = asyncio.get_running_loop().create_task(work, name="jupyter: upload")
            upload.add_done_callback(lambda _: sink.cut())

            def pump() -> Records:
                # At the root, so that links which leave the folder are none that escape.
                out = cast("IO[bytes]", sink)
                records = copy_tree(source, out, into.strip("/"), mounted, on_bytes)
                sink.end()
                return records

            try:
                records = await _in_thread(pump, source, sink)
                await upload
            except BrokenPipeError:
                await upload  # says why it took no more
                raise
            finally:
                # Cut, not ended, when the source failed.
                upload.cancel()
                await asyncio.wait({upload})
            return records

    async def upload(self, chunks: AsyncIterator[bytes]) -> None:
        """Unpack a tar stream at the root."""
        async with self._docker._query(
            *(self._where, "PUT"),
            params={"path": "/"},
            data=chunks,
            headers={"Content-Type": "application/x-tar"},
        ) as response:
            response.close()

    async def write(self, path: str, text: str) -> None:
        """Make a small file that everybody may read."""
        content, buffer = text.encode(), io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            member = tarfile.TarInfo(path.strip("/"))
            member.size, member.mtime = len(content), time.time()
            tar.addfile(member, io.BytesIO(content))

        async def whole() -> AsyncIterator[bytes]:
            yield buffer.getvalue()

        await self.upload(whole())

    async def read_text(self, path: str) -> str | None:
        """A small file's content; None when there is none."""
        try:
            async with self._docker._query(self._where, params={"path": path}) as response:
                try:
                    packed = await response.read()
                finally:
                    response.close()
        except aiodocker.DockerError as error:
            if error.status == 404:
                return None
            raise
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            member = tar.next()
            file = tar.extractfile(member) if member is not None else None
            return file.read().decode("utf-8", "replace") if file is not None else None

    async def is_empty(self, folder: str) -> bool:
        """Whether no file is in ``folder`` (but maybe empty folders), or it is not there."""

        def only_folders(source: _Source) -> bool:
            with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|") as tar:
                return all(member.isdir() for member in tar)

        try:
            async with self._stream(folder) as source:
                return await _in_thread(lambda: only_folders(source), source)
        except aiodocker.DockerError as error:
            if error.status == 404:
                return True
            raise

    async def is_socket(self, path: str) -> bool:
        """Whether ``path`` is a socket, which no archive holds."""
        try:
            async with self._docker._query(self._where, "HEAD", params={"path": path}) as response:
                encoded = response.headers["X-Docker-Container-Path-Stat"]
                response.close()
        except json.JSONDecodeError:  # aiodocker looks for the reason in a body that HEAD has not
            return False
        return bool(json.loads(base64.b64decode(encoded))["mode"] & _SOCKET_BIT)

    @asynccontextmanager
    async def _stream(self, folder: str) -> AsyncIterator[_Source]:
        async with self._docker._query(self._where, params={"path": f"{folder}/."}) as response:
            try:
                yield _Source(response.content)
            finally:
                response.close()


class _Bridge:
    """Lets a thread wait for the event loop, until it is cut."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._cut = False

    def cut(self) -> None:
        """Whoever waits, or comes to wait, gets a BrokenPipeError."""
        self._cut = True

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Source(_Bridge):
    """An answer's content, for a thread to read."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        super().__init__()
        self._content = content

    def read(self, size: int) -> bytes:
        if self._cut:
            raise BrokenPipeError
        return self._wait(self._content.read(size))

    def cut(self) -> None:
        super().cut()
        self._content.set_exception(BrokenPipeError())


class _Sink(_Bridge):
    """A request's content, for a thread to write."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_WAITING_CHUNKS)

    def write(self, data: bytes) -> int:
        self._put(bytes(data))
        return len(data)

    def end(self) -> None:
        """Nothing more comes."""
        self._put(None)

    def cut(self) -> None:
        super().cut()
        while not self._chunks.empty():  # somebody may wait for room
            self._chunks.get_nowait()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What was written, as it comes."""
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    def _put(self, chunk: bytes | None) -> None:
        if self._cut:
            raise BrokenPipeError
        self._wait(self._chunks.put(chunk))


async def _in_thread(work: Callable[[], T], *bridges: _Bridge) -> T:
    """Run ``work`` in a thread; when this is cancelled its waiting is cut, and it ends first."""
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        for bridge in bridges:
            bridge.cut()
        await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # is that of the cut
        raise
