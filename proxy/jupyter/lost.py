"""What was changed in a container outside the folders that are kept. Decides; asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

MOST_FOLDERS = 5
"""How many folders are named; of the others only their number is."""

_DELETED = 2  # the Engine API's ChangeType
# What comes and goes by itself, or is made anew when it is missing.
_PASSING = frozenset(
    ("/tmp", "/run", "/dev", "/proc", "/sys", "/var/cache", "/var/log", "/var/run", "/var/tmp")  # noqa: S108  names
)
_PASSING_NAMES = frozenset(("__pycache__", ".cache"))
_PACKAGES = (
    ("/opt/conda", "packages installed with conda or pip (/opt/conda)"),
    ("/var/lib/dpkg", "packages installed with apt"),
)
# Where apt puts what it installs: told with it, not once more.
_OF_APT = ("/usr", "/etc", "/var/lib", "/lib", "/bin", "/sbin")
_NOT_OF_APT = "/usr/local"


def lost_with(changes: Iterable[Mapping[str, Any]], kept: Iterable[str]) -> str:
    """In plain words what goes with a container; empty for nothing worth telling.

    Args:
        changes: ``GET /containers/ID/changes``: paths that differ from the image.
        kept: The folders that are copied or mounted.
    """
    paths = set(_telling(changes, frozenset(kept)))
    told = []
    for folder, words in _PACKAGES:
        if inside := {path for path in paths if _is_in(path, folder)}:
            told.append(words)
            paths -= inside
            if folder == "/var/lib/dpkg":
                paths = {path for path in paths if not _of_apt(path)}
    folders = sorted({str(path.parents[max(len(path.parents) - 3, 0)]) for path in paths})
    if folders:
        more = len(folders) - MOST_FOLDERS
        also = f" and {more} more folders" if more > 0 else ""
        told.append(f"files in {', '.join(folders[:MOST_FOLDERS])}{also}")
    return ", ".join(told)


def _telling(changes: Iterable[Mapping[str, Any]], kept: frozenset[str]) -> list[PurePosixPath]:
    """The changed files; a folder is listed as changed when something in it is."""
    listed = [(PurePosixPath(change["Path"]), change["Kind"]) for change in changes]
    above = {parent for path, _ in listed for parent in path.parents}
    left_out = kept | _PASSING
    return [
        path
        for path, kind in listed
        if kind != _DELETED
        and path not in above
        and _PASSING_NAMES.isdisjoint(path.parts)
        and path.suffix != ".pyc"
        and not any(_is_in(path, folder) for folder in left_out)
    ]


def _of_apt(path: PurePosixPath) -> bool:
    return not _is_in(path, _NOT_OF_APT) and any(_is_in(path, folder) for folder in _OF_APT)


def _is_in(path: PurePosixPath, folder: str) -> bool:
    return path.is_relative_to(folder)
