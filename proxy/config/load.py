"""Reads file, environment and flags into one ``Settings``.

Flags override the environment, which overrides the file. Every key can also be set as
``LABGATE_SECTION__KEY``, with commas in lists. Unknown keys, wrong types and contradictions are
reported together, each with its source.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from proxy.config.problems import sentence
from proxy.config.route_settings import route_name
from proxy.config.settings import Settings
from proxy.config.spelling import as_typed, with_full_stop
from proxy.errors import UsageError

DEFAULT_FILE = Path("/etc/labgate/labgate.toml")
PREFIX = "LABGATE_"
NO_KEYS = frozenset({"LABGATE_CONFIG", "LABGATE_DOCTOR_TOKEN", "LABGATE_DOCTOR_PASSWORD"})
"""Variables that stand for options and not for keys."""
COMMAND_LINE, ENVIRONMENT = "the command line", "the environment"

Sources = list[tuple[str, dict[str, Any]]]


def load(
    flags: dict[str, dict[str, Any]],
    environment: Mapping[str, str] = os.environ,
    file: Path | None = None,
    typed: Mapping[str, str] = MappingProxyType({}),
) -> Settings:
    """Read and validate everything.

    Args:
        flags: The values of the command line, by section and key.
        environment: Usually ``os.environ``.
        file: ``--config``; by default LABGATE_CONFIG, then ``/etc/labgate/labgate.toml`` if it
            exists.
        typed: The options as they were typed, by key, for error messages.

    Raises:
        UsageError: All problems, each on a line with its source.
    """
    path, required = configuration_file_of(environment, file)
    sources: Sources = [
        (COMMAND_LINE, flags),
        (ENVIRONMENT, from_environment(environment)),
        (str(path), from_file(path, required=required)),
    ]
    try:
        return Settings.model_validate(merged(sources))
    except ValidationError as error:
        problems = [describe_problem(problem, sources, typed) for problem in error.errors()]
        raise UsageError("\n".join(problems)) from None


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
        if not name.startswith(PREFIX) or name in NO_KEYS:
            continue
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if separator:
            found.setdefault(section, {})[key] = value
        else:
            found[section] = value
    return found


def describe_problem(problem: Any, sources: Sources, typed: Mapping[str, str]) -> str:
    """One validation error as a line: source, key's path, what is wrong."""
    location = [str(part) for part in problem["loc"] if not isinstance(part, int)]
    source = source_of(location, sources, value=problem["input"])
    spelled = ".".join(location)
    if location[:1] == ["routes"]:
        source = source_of(["routes"], sources, value=problem["input"])
        spelled = route_key(problem["loc"])
    if source == COMMAND_LINE:
        spelled = typed.get(spelled, spelled)
    if source == ENVIRONMENT:
        location = location[:1] if spelled.startswith("[[") else location
        spelled = PREFIX + "__".join(location).upper()
    message = sentence(problem, environment=source == ENVIRONMENT)
    message = with_full_stop(as_typed(message, typed))
    return f"{source}: {spelled}: {message}" if spelled else message


def route_key(location: tuple[int | str, ...]) -> str:
    """A key of ``[[routes]]``, as ``[[routes]] #2 upstream.url``."""
    if len(location) == 1 or not isinstance(location[1], int):
        return "routes"
    return " ".join([route_name(location[1]), ".".join(map(str, location[2:]))]).rstrip()


def source_of(location: list[str], sources: Sources, value: object) -> str:
    """The source of a value; ``value`` distinguishes a section from a value in its place."""
    for source, values in sources:
        here: Any = values
        for part in location:
            if not isinstance(here, dict) or part not in here:
                break
            here = here[part]
        else:
            if location and (not isinstance(here, dict) or isinstance(value, dict)):
                return source
    return "configuration"
