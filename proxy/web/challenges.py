"""HTTP-01: the files that prove to a certificate authority that a name leads here."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.rules.decide import NO_CHALLENGE
from proxy.runtime.last_problems import OF_ONE_REQUEST
from proxy.web.errors import error_response
from proxy.web.request_head import CLIENT_FIELD

log = logging.getLogger("labgate")

MAX_BYTES = 4096
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
"""RFC 8555 section 8.3: base64url, so no dots and no slashes."""


def challenge_file(folders: Sequence[Path]) -> Handler:
    """``GET /.well-known/acme-challenge/TOKEN``: the first folder's file of that name, or 404."""

    async def answer(request: web.Request) -> web.Response:
        token = request.match_info["token"]
        content = None
        if _TOKEN.fullmatch(token):
            content = await asyncio.to_thread(_read, folders, token)
        if content is not None:
            return web.Response(body=content, content_type="application/octet-stream")
        status, rule, sentence = NO_CHALLENGE.status, NO_CHALLENGE.rule, NO_CHALLENGE.sentence
        client = request.headers.get(CLIENT_FIELD, "")
        # Quote the token: a client may have written anything into it.
        message = "refused %d by rule %s: no file for %r from %s"
        log.warning(message, status, rule, token, client, extra=OF_ONE_REQUEST)
        return error_response(request, status, rule, sentence)

    return answer


def _read(folders: Sequence[Path], token: str) -> bytes | None:
    for folder in folders:
        with suppress(OSError), (folder / token).open("rb") as opened:
            return opened.read(MAX_BYTES)
    return None
