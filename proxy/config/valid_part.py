"""Reads what is valid of a configuration, and tells everything that is wrong with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from proxy.config.load import describe_problem
from proxy.config.settings import Settings
from proxy.config.sources import (
    COMMAND_LINE,
    ENVIRONMENT,
    Sources,
    configuration_file_of,
    from_environment,
    from_file,
    merged,
)
from proxy.errors import UsageError

MAX_ROUNDS = 5
"""Some problems show only when others are out of the way."""


class ValidPart(NamedTuple):
    """What could be read.

    Attributes:
        settings: The valid values; the default stands for every other. None if the values
            contradict each other.
        problems: Sentences, each with its source.
        sources: Where the values come from, the strongest first.
    """

    settings: Settings | None
    problems: list[str]
    sources: Sources


def valid_part(
    flags: dict[str, dict[str, Any]],
    environment: Mapping[str, str],
    file: Path | None,
    typed: Mapping[str, str],
) -> ValidPart:
    """Read as much as possible.

    Args:
        flags: As in ``load``.
        environment: As in ``load``.
        file: As in ``load``.
        typed: As in ``load``.
    """
    problems: list[str] = []
    path, required = configuration_file_of(environment, file)
    try:
        written = from_file(path, required=required)
    except UsageError as error:
        problems.append(str(error))
        written = {}
    sources: Sources = [
        (COMMAND_LINE, flags),
        (ENVIRONMENT, from_environment(environment)),
        (str(path), written),
    ]
    values = merged(sources)
    for _ in range(MAX_ROUNDS):
        try:
            return ValidPart(Settings.model_validate(values), problems, sources)
        except ValidationError as error:
            problems += [describe_problem(problem, sources, typed) for problem in error.errors()]
            locations = [problem["loc"] for problem in error.errors()]
        left_out = [_leave_out(values, location) for location in locations]
        if not all(left_out):
            break
    return ValidPart(None, problems, sources)


def _leave_out(values: dict[str, Any], location: tuple[int | str, ...]) -> bool:
    """Leave out a value; False if the problem has none of its own, as a contradiction has."""
    names = [name for name in location if isinstance(name, str)][:2]
    if not names:
        return False
    section = values.get(names[0])
    if len(names) == 1 or not isinstance(section, dict):
        values.pop(names[0], None)
    else:
        section.pop(names[1], None)
    return True
