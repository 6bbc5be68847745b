"""Who, beside root, may change a program that is to run as root."""

from __future__ import annotations

import pwd
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

ROOT = 0


def writer_of(paths: Iterable[Path], trusted: Collection[int] = (ROOT,)) -> tuple[Path, str] | None:
    """The first path that somebody else may change, and who; None if nobody may.

    Each path is looked at from the root folder down, as it is written and as symbolic links lead:
    whoever may write a folder may replace what is in it. What cannot be read is left out.

    Args:
        paths: Absolute ones.
        trusted: The users who may.
    """
    for path in paths:
        for way in (path, path.resolve()):
            for one in (*reversed(way.parents), way):
                if who := _writer(one, trusted):
                    return one, who
    return None


def _writer(path: Path, trusted: Collection[int]) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    if status.st_uid not in trusted:
        return f"the user {_name(status.st_uid)}"
    if stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX:
        return ""  # as in /tmp: nobody renames another's file
    if status.st_mode & stat.S_IWOTH:
        return "everybody"
    if status.st_mode & stat.S_IWGRP and status.st_gid != ROOT:
        return f"the group {status.st_gid}"
    return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
