"""Describes the files that are lost when a container is removed. Pure: does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

MAX_NAMED_FOLDERS = 5
"""How many folders are named; the others are counted."""

_DELETED = 2  # the Engine API's ChangeType
# What comes and goes by itself, or is created again when it is missing.
_TRANSIENT = frozenset(
    ("/tmp", "/run", "/dev", "/proc", "/sys", "/var/cache", "/var/log", "/var/run", "/var/tmp")  # noqa: S108  names
)
# What jupyter/docker-stacks' start.sh writes at every start as root, for another NB_USER or NB_UID.
_START_SCRIPT_FILES = frozenset(
    PurePosixPath("/etc") / name
    for file in ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
    for name in (file, f"{file}-")
) | {PurePosixPath("/etc/.pwd.lock"), PurePosixPath("/etc/sudoers.d/added-by-start-script")}
_TRANSIENT_NAMES = frozenset(("__pycache__", ".cache"))
_PACKAGES = (
    ("/opt/conda", "packages installed with conda or pip (/opt/conda)"),
    ("/var/lib/dpkg", "packages installed with apt"),
)
# Folders that apt installs to: they are mentioned once, as packages.
_APT_FOLDERS = ("/usr", "/etc", "/var/lib", "/lib", "/bin", "/sbin")
_NOT_FROM_APT = "/usr/local"


def describe_unsaved(changes: Iterable[Mapping[str, Any]], preserved: Iterable[str]) -> str:
    """Describe the changes that are lost; empty for none that matter.

    Args:
        changes: The result of ``GET /containers/ID/changes``: paths that differ from the image.
        preserved: The folders that are copied or mounted.
    """
    paths = set(_changed_files(changes, frozenset(preserved)))
    described = []
    for folder, words in _PACKAGES:
        if inside := {path for path in paths if _is_in(path, folder)}:
            described.append(words)
            paths -= inside
            if folder == "/var/lib/dpkg":
                paths = {path for path in paths if not _is_from_apt(path)}
    folders = sorted({str(path.parents[max(len(path.parents) - 3, 0)]) for path in paths})
    if folders:
        more = len(folders) - MAX_NAMED_FOLDERS
        also = f" and {more} more folders" if more > 0 else ""
        described.append(f"files in {', '.join(folders[:MAX_NAMED_FOLDERS])}{also}")
    return ", ".join(described)


def _changed_files(
    changes: Iterable[Mapping[str, Any]], preserved: frozenset[str]
) -> list[PurePosixPath]:
    """The changed files without their folders, which the engine lists as changed, too."""
    listed = [(PurePosixPath(change["Path"]), change["Kind"]) for change in changes]
    above = {parent for path, _ in listed for parent in path.parents}
    left_out = preserved | _TRANSIENT
    return [
        path
        for path, kind in listed
        if kind != _DELETED
        and path not in above
        and path not in _START_SCRIPT_FILES
        and _TRANSIENT_NAMES.isdisjoint(path.parts)
        and path.suffix != ".pyc"
        and not any(_is_in(path, folder) for folder in left_out)
    ]


def _is_from_apt(path: PurePosixPath) -> bool:
    return not _is_in(path, _NOT_FROM_APT) and any(_is_in(path, folder) for folder in _APT_FOLDERS)


def _is_in(path: PurePosixPath, folder: str) -> bool:
    return path.is_relative_to(folder)
