"""Reads file, environment and flags into one ``Settings``.

Flags override the environment, which overrides the file. Every key can also be set as
``LABGATE_SECTION__KEY``, with commas in lists. Unknown keys, wrong types and contradictions are
reported together, each with its source.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from proxy.config.problems import sentence
from proxy.config.route_settings import route_name
from proxy.config.settings import Settings
from proxy.config.sources import (
    COMMAND_LINE,
    ENVIRONMENT,
    KEY_PREFIX,
    Sources,
    configuration_file_of,
    from_environment,
    from_file,
    merged,
)
from proxy.config.spelling import as_typed, with_full_stop
from proxy.errors import UsageError


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
        spelled = KEY_PREFIX + "__".join(location).upper()
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
