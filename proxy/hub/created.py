"""The API's answer to a call that added a route: 201, in one write.

A Hub adds all its routes when it starts. aiohttp's own response would take 10 µs of each call, a
sixth: it collects, checks and joins fields that are always the same. Tested by
tests/hub/test_api.py.
"""

from __future__ import annotations

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from proxy.http1.response_writer import serialised
from proxy.runtime.http_date import http_date


def created(request: web.Request) -> web.StreamResponse:
    """The response to ``request``."""
    if request.keep_alive and request.version == HttpVersion11:
        return _CREATED
    return web.Response(status=201)


class _Created(web.StreamResponse):
    """Keeps nothing of a request, so that one is enough for all of them."""

    _date = _head = b""

    @property
    def keep_alive(self) -> bool:
        """Whether the connection is kept: it has no field that says otherwise."""
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Write all of it.

        Raises:
            ConnectionResetError: The client has gone.
        """
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError
        if (date := http_date()) is not self._date:
            fields = [(b"Content-Length", b"0"), (b"Date", date)]
            self._date, self._head = date, serialised(201, b"Created", fields)
        transport.write(self._head)
        await request.writer.drain()
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing: it has no content."""


_CREATED = _Created(status=201)
