"""Describes an invalid value of the configuration in a sentence.

pydantic's messages ("Input should be a valid integer, unable to parse string as an integer") are
for programmers. These say which value was written, and which is expected, with an example. They
never repeat a secret.
"""

from __future__ import annotations

import difflib
from typing import Any

from pydantic import BaseModel

from proxy.config.route_settings import RouteSettings
from proxy.config.settings import SECTIONS, Settings
from proxy.config.spelling import did_you_mean

SECRETS = {"jupyter.password", "acme.eab_hmac_key"}
"""Keys whose value is never shown."""

EXAMPLES: dict[str, object] = {
    "site.hsts_seconds": 15552000,
    "site.embed_in": ["https://portal.example.org"],
    "listen.bind": ["127.0.0.1"],
    "listen.https_port": 443,
    "listen.http_port": 80,
    "listen.metrics": "127.0.0.1:9464",
    "tls.cert": ["/etc/ssl/lab/fullchain.pem"],
    "tls.key": ["/etc/ssl/lab/privkey.pem"],
    "acme.webroot": "/var/lib/letsencrypt/webroot",
    "acme.email": "me@example.org",
    "acme.profile": "shortlived",
    "acme.eab_kid": "kid-1",
    "acme.eab_hmac_key": "the key in base64url",
    "acme.ca_file": "/etc/ssl/private-ca.pem",
    "access.htpasswd": "/etc/labgate/htpasswd",
    "access.allow": ["192.0.2.0/24", "2001:db8::/32"],
    "access.trusted_proxies": ["10.0.0.5"],
    "upstream.url": "http://127.0.0.1:8888",
    "upstream.ca": "/etc/labgate/upstream-ca.pem",
    "upstream.cert": "/etc/labgate/upstream-client.pem",
    "upstream.key": "/etc/labgate/upstream-client-key.pem",
    "jupyter.volume": "jupyter-work:/home/jovyan/work",
    "jupyter.home": "jupyter-home:/home/jovyan",
    "jupyter.password": "the hash that `labgate password` prints",
    "jupyter.user": "1000:100",
    "jupyter.memory_limit": "4g",
    "jupyter.folder": "/home/ada/notebooks",
    "log.access": True,
    "log.show_headers_filter": "status:4xx path:/api",
    "state.folder": "/var/lib/labgate",
    "routes.domains": ["ada.example.org"],
    "routes.upstream": "http://127.0.0.1:8888",
    "routes.htpasswd": "/etc/labgate/ada.htpasswd",
    "routes.allow": ["192.0.2.0/24"],
    "routes.embed_in": ["https://portal.example.org"],
}
"""Examples for keys whose default is not one."""

_EXPECTED = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a number",
    "bool": "true or false",
    "string": "text",
    "path": "the path of a file or folder",
    "tuple": "a list",
    "list": "a list",
}
"""By the first word of pydantic's name for the error: ``int_parsing``, ``string_type`` …"""

_BOUNDS = {
    "greater_than": ("gt", "too small", "more than"),
    "greater_than_equal": ("ge", "too small", "at least"),
    "less_than": ("lt", "too large", "less than"),
    "less_than_equal": ("le", "too large", "at most"),
}


def sentence(problem: Any, environment: bool = False) -> str:
    """What is wrong, without a full stop.

    Args:
        problem: One of ``ValidationError.errors()``.
        environment: The value is a variable's, which is text and has no quotes.
    """
    kind, context = problem["type"], problem.get("ctx", {})
    location = [str(part) for part in problem["loc"] if not isinstance(part, int)]
    key = ".".join(location)
    if key.startswith("routes.upstream."):
        # Its keys are those of the section.
        location = location[1:]
    value = shown_value(problem["input"], secret=key in SECRETS)
    if kind == "value_error":
        return str(problem["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        meant = _two_underscores(location) if environment else ""
        return "unknown key" + (meant or _near_miss(location))
    if location == ["routes"]:
        return _routes(environment)
    if kind == "model_type" and key == "routes.upstream":
        return f"{value} is neither an address nor a table; write for example {_example(location)}"
    if kind == "model_type":
        return _section(location[0], environment)
    if kind == "literal_error":
        choices = [
            part.strip("'") for part in context["expected"].replace(" or ", ", ").split(", ")
        ]
        return f"{value} is none of {', '.join(choices)}{did_you_mean(problem['input'], choices)}"
    if kind in _BOUNDS:
        name, fault, words = _BOUNDS[kind]
        return f"{value} is {fault}; it must be {words} {context[name]:g}"
    expected = _EXPECTED.get(kind.partition("_")[0], "what belongs here")
    if environment and expected == "true or false":
        expected = "true or false (1 and 0, yes and no, on and off will do, too)"
    return f"{value} is not {expected}; write for example {_example(location, environment)}"


def shown_value(value: object, *, secret: bool = False) -> str:
    """A value as it is shown in an error message."""
    if secret:
        return "the value (a secret, not shown)"
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return repr(value if len(value) <= 60 else value[:59] + "…")
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return str(value)


def example_of(section: str, key: str) -> object:
    """A valid value of the key: an example, otherwise its default."""
    if (found := EXAMPLES.get(f"{section}.{key}")) is not None:
        return found
    return _keys_of(section)[key].default


def _example(location: list[str], environment: bool = False) -> str:
    example = example_of(*location[:2])
    listed = list(example) if isinstance(example, list | tuple) else [example]
    if environment:
        return ",".join(
            str(part).lower() if isinstance(part, bool) else str(part) for part in listed
        )
    written = ", ".join(
        f'"{part}"' if isinstance(part, str) else shown_value(part) for part in listed
    )
    return f"[{written}]" if isinstance(example, list | tuple) else written


def _section(name: str, environment: bool) -> str:
    first, *_ = _keys_of(name)
    if environment:
        variable = f"LABGATE_{name}__{first}".upper()
        return f"{name} is a section; its keys are variables such as {variable}"
    return f"{name} is a section, not a key; write [{name}], and its keys below"


def _routes(environment: bool) -> str:
    if environment:
        return "routes are written in the file, as tables [[routes]]; variables cannot name them"
    return "routes are tables; write [[routes]], with two brackets, above the keys of each"


def _keys_of(section: str) -> dict[str, Any]:
    kind = RouteSettings if section == "routes" else Settings.model_fields[section].annotation
    return dict(kind.model_fields) if isinstance(kind, type(BaseModel)) else {}


def _two_underscores(location: list[str]) -> str:
    """Suggest the variable for one with a single underscore, as ``LABGATE_SITE_DOMAINS``."""
    if len(location) > 1:
        return ""
    variables = {
        f"{section}_{key}": f"LABGATE_{section}__{key}".upper()
        for section in SECTIONS
        for key in _keys_of(section)
    }
    close = difflib.get_close_matches(location[0], variables, n=1)
    return f"; did you mean {variables[close[0]]} (two underscores)?" if close else ""


def _near_miss(location: list[str]) -> str:
    *above, name = location
    known = list(_keys_of(above[0])) if above else list(Settings.model_fields)
    if said := did_you_mean(name, known):
        return said
    homes = [section for section in SECTIONS if name in _keys_of(section)]
    if homes:
        return f"; it belongs in [{homes[0]}]"
    return f" (known: {', '.join(known)})"
