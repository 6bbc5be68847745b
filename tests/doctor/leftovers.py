"""What stays in a Jupyter."""

from __future__ import annotations

import http.client
import json

from tests.e2e.programs import TOKEN, Jupyter


def leftovers(jupyter: Jupyter) -> list[str]:
    """Kernels, terminals and files, the trash included."""
    found = []
    for path in ("/api/kernels", "/api/sessions", "/api/terminals"):
        connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
        try:
            connection.request("GET", path, headers={"Authorization": f"token {TOKEN}"})
            models = json.loads(connection.getresponse().read())
            found += [f"{path}: {one.get('id') or one['name']}" for one in models]
        finally:
            connection.close()
    trash = jupyter.folder / ".local/share/Trash"
    return found + [str(file) for place in (jupyter.work, trash) for file in place.rglob("*")]
