"""Reads and writes the files of a container, running or not, as tar streams of the Engine API.

Only a few chunks are in memory, whatever the size. tarfile blocks while it reads, so it runs in
a thread, which gets each chunk from the event loop.
Tested by tests/jupyter/test_container_creation.py.
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

    Methods raise the errors in ``EngineError``, and ``tarfile.TarError`` for a malformed archive.
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
        """Copy ``folder`` to ``into`` of another container; returns the copied files' records."""
        async with self._stream(folder) as source:
            sink = _Sink()
            work = to.upload(sink.chunks())
            upload = asyncio.get_running_loop().create_task(work, name="jupyter: upload")
            upload.add_done_callback(lambda _: sink.cut())

            def pump() -> Records:
                # Unpacked at the root: otherwise links to outside of the folder are refused.
                out = cast("IO[bytes]", sink)
                records = copy_tree(source, out, into.strip("/"), mounted, on_bytes)
                sink.end()
                return records

            try:
                records = await _in_thread(pump, source, sink)
                await upload
            except BrokenPipeError:
                await upload  # raises the reason
                raise
            finally:
                # If the source failed, the upload must not end normally.
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
        """Write a small file that is readable by everybody."""
        content, buffer = text.encode(), io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            member = tarfile.TarInfo(path.strip("/"))
            member.size, member.mtime = len(content), time.time()
            tar.addfile(member, io.BytesIO(content))

        async def whole() -> AsyncIterator[bytes]:
            yield buffer.getvalue()

        await self.upload(whole())

    async def read_text(self, path: str) -> str | None:
        """The content of a small file; None if it does not exist."""
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
        """Whether ``folder`` contains nothing but empty folders, or does not exist."""

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
        """Whether ``path`` is a socket, which archives do not contain."""
        try:
            async with self._docker._query(self._where, "HEAD", params={"path": path}) as response:
                encoded = response.headers["X-Docker-Container-Path-Stat"]
                response.close()
        except json.JSONDecodeError:  # aiodocker reads the error from a body, which HEAD has not
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
    """Lets a thread wait for the event loop, until ``cut`` is called."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._cut = False

    def cut(self) -> None:
        """Raise BrokenPipeError in the thread that waits now or later."""
        self._cut = True

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Source(_Bridge):
    """A response body that a thread reads."""

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
    """A request body that a thread writes."""

    def __init__(self) -> None:
        super().__init__()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(_MAX_WAITING_CHUNKS)

    def write(self, data: bytes) -> int:
        self._put(bytes(data))
        return len(data)

    def end(self) -> None:
        """Mark the end of the body."""
        self._put(None)

    def cut(self) -> None:
        super().cut()
        while not self._chunks.empty():  # the thread may wait for space in the queue
            self._chunks.get_nowait()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The chunks, as they are written."""
        while (chunk := await self._chunks.get()) is not None:
            yield chunk

    def _put(self, chunk: bytes | None) -> None:
        if self._cut:
            raise BrokenPipeError
        self._wait(self._chunks.put(chunk))


async def _in_thread(work: Callable[[], T], *bridges: _Bridge) -> T:
    """Run ``work`` in a thread. If cancelled, cut the bridges and wait for the thread's end."""
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        for bridge in bridges:
            bridge.cut()
        await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # retrieve the BrokenPipeError
        raise
