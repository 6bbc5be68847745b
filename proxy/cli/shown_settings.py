"""The configuration in force, as ``labgate check --show`` prints it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from proxy.config.load import source_of
from proxy.config.problems import SECRETS
from proxy.config.sections import UpstreamSettings
from proxy.config.settings import SECTIONS, Settings
from proxy.config.sources import COMMAND_LINE, Sources
from proxy.config.toml_value import toml_value

DEFAULT = "default"
HIDDEN = "(a secret, not shown)"

_PASSWORD_IN_URL = re.compile(r"(://[^/@:]*):[^/@]*@")


def shown_settings(settings: Settings, sources: Sources) -> Iterator[str]:
    """Lines of TOML, each value with its source in a comment.

    Args:
        settings: The configuration.
        sources: Where its values come from.
    """
    for section in SECTIONS:
        yield f"[{section}]"
        written = [
            (f"{key} = {_value(settings, section, key)}", _source(section, key, sources))
            for key in type(getattr(settings, section)).model_fields
        ]
        width = min(max(len(line) for line, _ in written), 60)
        for line, source in written:
            yield f"{line:<{width}}  # {source}"
        yield ""
    for route in settings.routes:
        yield "[[routes]]"
        for key in sorted(route.model_fields_set):
            yield f"{key} = {_route_value(getattr(route, key))}"
        yield ""


def _source(section: str, key: str, sources: Sources) -> str:
    source = source_of([section, key], sources, value=None)
    if source in [name for name, _ in sources]:
        return "a flag" if source == COMMAND_LINE else source
    return DEFAULT


def _value(settings: Settings, section: str, key: str) -> str:
    """A value in TOML; what follows from other keys is shown as it follows."""
    value = getattr(getattr(settings, section), key)
    if f"{section}.{key}" in SECRETS and value:
        return f'"{HIDDEN}"'
    if value is None or value == ():
        value = _derived(settings).get(f"{section}.{key}", value)
    if value is None:
        return '""'
    return _PASSWORD_IN_URL.sub(r"\1:…@", toml_value(value))


def _derived(settings: Settings) -> dict[str, Any]:
    return {
        "site.hsts_seconds": settings.hsts_seconds,
        "listen.bind": settings.bind,
        "listen.https_port": settings.https_port,
        "listen.http_port": settings.http_port,
        "state.folder": settings.state_folder,
    }


def _route_value(value: Any) -> str:
    """A value of a route: its upstream is a table where it has more than an address."""
    if not isinstance(value, UpstreamSettings):
        return toml_value(value)
    given = {key: getattr(value, key) for key in sorted(value.model_fields_set)}
    if set(given) == {"url"}:
        return toml_value(value.url)
    return f"{{ {', '.join(f'{key} = {toml_value(one)}' for key, one in given.items())} }}"
