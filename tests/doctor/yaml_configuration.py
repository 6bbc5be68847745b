"""A configuration in YAML, as Traefik has it: each entry is a key with the path to it.

``http.services.jupyter.loadBalancer.passHostHeader: false`` is such an entry; a list, or what is
empty, is the value of its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.doctor.configuration import Configuration

ROUTER_MIDDLEWARES = ".middlewares: ["
"""In the entry that names the middlewares of a router."""


@dataclass(frozen=True)
class YamlConfiguration(Configuration):
    """Entries that are merged with what is pasted, as its reader merges two files of YAML."""

    def put(self, place: str, *added: str) -> YamlConfiguration:
        put = super().put(place, *(one for text in added for one in flat(text)))
        return replace(self, places=put.places)

    def take_out(self, beginning: str) -> YamlConfiguration:
        """Without a key, wherever it is; a middleware of which nothing is left goes whole."""
        less = {
            place: tuple(entry for entry in entries if not _is_below(entry, beginning))
            for place, entries in self.places.items()
        }
        gone = _middlewares(self.places) - _middlewares(less)
        return replace(
            self,
            places={
                place: tuple(_without_names(entry, gone) for entry in entries)
                for place, entries in less.items()
            },
        )


def flat(text: str) -> Iterator[str]:
    """The entries of a text in YAML."""
    yield from _flat("", yaml.safe_load(text))


def _flat(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _flat(f"{path}.{key}" if path else str(key), one)
    else:
        yield f"{path}: {json.dumps(value)}"


def document(entries: str) -> dict[str, Any]:
    """What a text of entries says, as it stands in one file."""
    whole: dict[str, Any] = {}
    for entry in entries.splitlines():
        path, _, value = entry.partition(": ")
        *above, last = path.split(".")
        level = whole
        for key in above:
            level = level.setdefault(key, {})
        level[last] = yaml.safe_load(value)
    return whole


def _is_below(entry: str, keys: str) -> bool:
    path = entry.partition(": ")[0]
    return f".{keys.lower()}." in f".{path.lower()}."


def _middlewares(places: Any) -> set[str]:
    """Their names."""
    paths = [entry.split(".") for entries in places.values() for entry in entries]
    return {path[2] for path in paths if path[:2] == ["http", "middlewares"]}


def _without_names(entry: str, names: set[str]) -> str:
    if ROUTER_MIDDLEWARES not in entry:
        return entry
    path, _, value = entry.partition(": ")
    return f"{path}: {json.dumps([name for name in json.loads(value) if name not in names])}"
