"""Notices when a rule changes what it is given."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import CodeType, FrameType, NoneType
from typing import Any, NamedTuple

import proxy.rules

FOLDER = Path(next(iter(proxy.rules.__path__)))
PLAIN = frozenset({str, bytes, int, float, bool, NoneType})
LEAVES = (Enum, re.Pattern, IPv4Network, IPv6Network)
"""Nothing in them can change either."""
_SLOTS: dict[type, list[str]] = {}


class Changed(NamedTuple):
    """A function has changed what one of its parameters was given."""

    function: str
    parameter: str


@dataclass
class Watch:
    """What was called, and what the calls have changed.

    Attributes:
        called: Every function and method, as ``file.name``.
        changed: What they have changed; of a list also what was only added at its end.
        replaced: The same without what was only added at the end of a list.
    """

    called: set[str] = field(default_factory=set)
    changed: set[Changed] = field(default_factory=set)
    replaced: set[Changed] = field(default_factory=set)


class Call(NamedTuple):
    """A call that has not returned: what each parameter was given, and how that looked."""

    code: CodeType
    given: list[tuple[str, Any, Any]]


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch every call of a function in ``proxy/rules``."""
    watch, calls, folder = Watch(), list[Call](), str(FOLDER)

    def on_event(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if not code.co_filename.startswith(folder) or code.co_name.startswith("<"):
            return
        if event == "call":
            given = frame.f_locals
            calls.append(
                Call(code, [(name, given[name], copied(given[name])) for name in parameters(code)])
            )
        elif event == "return":
            note(calls.pop())

    def note(call: Call) -> None:
        function = f"{Path(call.code.co_filename).stem}.{call.code.co_qualname}"
        watch.called.add(function)
        for name, value, before in call.given:
            after = copied(value)
            if after != before:
                watch.changed.add(Changed(function, name))
                if not isinstance(value, list) or after[: len(before)] != before:
                    watch.replaced.add(Changed(function, name))

    sys.setprofile(on_event)
    try:
        yield watch
    finally:
        sys.setprofile(None)


def parameters(code: CodeType) -> tuple[str, ...]:
    """The names of a function's parameters; without the object that it makes."""
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return names[1:] if code.co_name in ("__init__", "__post_init__") else names


def copied(value: Any) -> Any:
    """All that a value says, and nothing of it that could change."""
    kind = type(value)
    if kind in PLAIN or isinstance(value, LEAVES) or callable(value):
        return value
    if kind is tuple and PLAIN.issuperset(map(type, value)):
        return value
    if isinstance(value, tuple | list | frozenset | set):
        return [*map(copied, value)]
    if isinstance(value, Mapping):
        return [(key, copied(one)) for key, one in value.items()]
    if kind not in _SLOTS:
        slots = {name for base in kind.__mro__ for name in getattr(base, "__slots__", ())}
        _SLOTS[kind] = sorted(slots - {"__weakref__"})
    names = (*_SLOTS[kind], *getattr(value, "__dict__", ()))
    return [copied(getattr(value, name)) for name in names]
