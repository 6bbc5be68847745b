"""What stays in a Jupyter."""

from __future__ import annotations

import http.client
import json
from functools import partial

from tests.e2e.programs import TOKEN, Jupyter, until


def leftovers(jupyter: Jupyter) -> list[str]:
    """Kernels, terminals and files, the trash included."""
    found: list[str] = []
    for path in ("/api/kernels", "/api/sessions", "/api/terminals"):
        body = until(partial(_listing, jupyter, path), f"{path} is listed")
        models = json.loads(body)
        found += [f"{path}: {one.get('id') or one['name']}" for one in models]
    trash = jupyter.folder / ".local/share/Trash"
    return found + [str(file) for place in (jupyter.work, trash) for file in place.rglob("*")]


def _listing(jupyter: Jupyter, path: str) -> bytes:
    """JSON; empty while Jupyter fails to list, as it may at the moment when a kernel ends."""
    connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
    try:
        connection.request("GET", path, headers={"Authorization": f"token {TOKEN}"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    return body if response.status == 200 else b""
