"""What a request to the admin API brings, and what is answered if that makes no sense.

Tested by tests/admin/test_exchanges.py and tests/service/test_commands_api.py.
"""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web


async def json_body(request: web.Request) -> Any:
    """The content, read as JSON.

    Raises:
        web.HTTPBadRequest: It is none.
    """
    try:
        return await request.json()
    # A LookupError names a charset that nobody knows.
    except (ValueError, LookupError, RecursionError):
        raise bad_request("this is no JSON") from None


def bad_request(sentence: str) -> web.HTTPBadRequest:
    """The answer 400, with a sentence for people."""
    return web.HTTPBadRequest(text=json.dumps({"error": sentence}), content_type="application/json")
