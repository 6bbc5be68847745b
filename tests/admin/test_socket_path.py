"""Where the admin socket is."""

from __future__ import annotations

import os
from pathlib import Path

from proxy.admin.socket_path import MAX_PATH_BYTES, socket_path


def test_in_the_state_folder() -> None:
    assert socket_path(Path("/var/lib/labgate")) == Path("/var/lib/labgate/admin/admin.sock")


def test_a_deep_folder_has_a_short_path_that_tells_whose_it_is(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    path = socket_path(folder)
    assert len(os.fsencode(path)) <= MAX_PATH_BYTES
    assert path.parent.name == f"labgate-{os.getuid()}"
    assert path != socket_path(tmp_path / ("y" * 120))
    assert path == socket_path(folder)


def test_a_longer_name_needs_a_short_path_sooner() -> None:
    """The other sockets are as reachable as the admin socket, whatever the folder's length."""
    folder = Path("/") / ("x" * (MAX_PATH_BYTES - len("//admin/admin.sock")))
    assert socket_path(folder).is_relative_to(folder)
    path = socket_path(folder, "takeover-12345678.sock")
    assert len(os.fsencode(path)) <= MAX_PATH_BYTES
    assert path != socket_path(folder, "takeover-87654321.sock")
