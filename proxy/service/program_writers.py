"""Who, beside root, may change a program that is to run as root."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from proxy.runtime.owners import user_name

ROOT = 0
MAX_LINKS = 40
"""Linux follows no more in one path: path_resolution(7)."""


def writer_of(paths: Iterable[Path], trusted: Collection[int] = (ROOT,)) -> tuple[Path, str] | None:
    """The first path that somebody else may change, and who; None if nobody may.

    Each path is looked at from the root folder down, along every symbolic link on the way: whoever
    may write a folder may replace what is in it. What cannot be read is left out.

    Args:
        paths: Absolute ones.
        trusted: The users who may.
    """
    for path in paths:
        for one in _way_to(path):
            if who := _writer(one, trusted):
                return one, who
    return None


def _way_to(path: Path) -> Iterator[Path]:
    """All folders and links that the kernel passes on its way to a path, and what is there."""
    parts = deque(path.parts)
    place = Path("/")
    links = 0
    while parts and links <= MAX_LINKS:
        part = parts.popleft()
        if part == "..":
            place = place.parent
            continue
        yield place / part
        try:
            target = (place / part).readlink()
        except OSError:
            place /= part
        else:
            parts.extendleft(reversed(target.parts))
            links += 1


def _writer(path: Path, trusted: Collection[int]) -> str:
    try:
        status = path.lstat()
    except OSError:
        return ""
    if status.st_uid not in trusted:
        return f"the user {user_name(status.st_uid)}"
    if stat.S_ISLNK(status.st_mode):
        return ""  # its permissions mean nothing
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return ""  # as in /tmp: nobody renames another's file
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    if status.st_mode & stat.S_IWGRP and status.st_gid != ROOT:
        return f"the group {status.st_gid}"
    return ""
