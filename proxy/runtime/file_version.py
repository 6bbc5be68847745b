"""Tells whether a file has changed since it was read.

Tested by tests/net/test_upstream_tls.py and tests/hub/test_public_tls.py.
"""

from __future__ import annotations

from pathlib import Path

FileVersion = tuple[int, int, int]


def file_version(path: Path) -> FileVersion:
    """Inode, time of the last change in nanoseconds, and size.

    If the file changes, at least one of the three changes. Looking costs microseconds.

    Raises:
        OSError: There is no such file.
    """
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size
