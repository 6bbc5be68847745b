"""What file and environment say, as it stands there: nothing is checked yet.

Commands that need no more than a key do not load pydantic, which takes 8 MB. Tested by
tests/config/test_load.py.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proxy.errors import UsageError

DEFAULT_FILE = Path("/etc/labgate/labgate.toml")
KEY_PREFIX = "LABGATE_"
NO_KEYS = frozenset({"LABGATE_CONFIG", "LABGATE_DOCTOR_TOKEN", "LABGATE_DOCTOR_PASSWORD"})
"""Variables that stand for options and not for keys."""
COMMAND_LINE, ENVIRONMENT = "the command line", "the environment"

Sources = list[tuple[str, dict[str, Any]]]


def configuration_file_of(environment: Mapping[str, str], file: Path | None) -> tuple[Path, bool]:
    """The configuration file, and whether it has to exist."""
    named = file or (
        Path(environment["LABGATE_CONFIG"]) if "LABGATE_CONFIG" in environment else None
    )
    return named or DEFAULT_FILE, named is not None


def merged(sources: Sources) -> dict[str, Any]:
    """The values by section and key; earlier sources override later ones."""
    values_of: dict[str, Any] = {}
    for _, values in reversed(sources):
        for section, keys in values.items():
            if not isinstance(keys, dict) or section == "routes":
                values_of[section] = keys
            elif isinstance(values_of.setdefault(section, {}), dict):
                values_of[section].update(keys)
            # Otherwise another source has a value in place of a section, which is reported.
    return values_of


def from_file(path: Path, *, required: bool) -> dict[str, Any]:
    """The values of the file.

    Raises:
        UsageError: It cannot be read, or is malformed.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise UsageError(f"{path}: there is no such configuration file.") from None
    except IsADirectoryError:
        file = path / DEFAULT_FILE.name
        raise UsageError(f"{path} is a folder. Name a file in it, as {file}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text. Save it in that encoding.") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not valid TOML: {error}.") from None


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The ``LABGATE_SECTION__KEY`` variables; one without a section is reported later."""
    found: dict[str, Any] = {}
    for name, value in environment.items():
        if not name.startswith(KEY_PREFIX) or name in NO_KEYS:
            continue
        section, separator, key = name.removeprefix(KEY_PREFIX).lower().partition("__")
        if separator:
            found.setdefault(section, {})[key] = value
        else:
            found[section] = value
    return found


def default_state_folder() -> Path:
    """Without ``state.folder``: systemd's StateDirectory, or the user's state folder."""
    if system := os.environ.get("STATE_DIRECTORY"):
        return Path(system.split(":", 1)[0])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "labgate"
