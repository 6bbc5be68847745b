"""Reads a JSON body; answers 400 if it is invalid.

Tested by tests/admin/test_exchanges.py and tests/service/test_commands_api.py.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


async def json_body(request: web.Request) -> Any:
    """The content, read as JSON.

    Raises:
        web.HTTPBadRequest: It is not JSON.
    """
    try:
        return await request.json()
    # A LookupError means an unknown charset.
    except (ValueError, LookupError, RecursionError):
        raise bad_request("this is no JSON") from None


def bad_request(sentence: str) -> web.HTTPBadRequest:
    """The answer 400, with a sentence for people."""
    return web.HTTPBadRequest(text=json.dumps({"error": sentence}), content_type="application/json")
