"""Lines that mend a symptom, by server, ready to paste.

A mend never switches off Jupyter's protection against other sites: no ``allow_origin = "*"``, and
no line that sets Origin on every request. With either, any page that somebody with a login opens
can run code on this Jupyter: the recipes that set Host *and* Origin to the upstream's make the
two equal for an attacker's page, too.

The comment above a line says where it belongs, and ``Take out:`` which lines must go.

- ``nginx``, ``caddy``, ``traefik``, ``haproxy``, ``apache``   the proxy in front
- ``jupyter``   jupyter_server_config.py
- ``labgate``   labgate.toml

Tested by tests/symptoms/test_mends.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from . import apache, caddy, haproxy, jupyter, labgate, nginx, traefik

LINES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "nginx": nginx.LINES,
        "caddy": caddy.LINES,
        "traefik": traefik.LINES,
        "haproxy": haproxy.LINES,
        "apache": apache.LINES,
        "jupyter": jupyter.LINES,
        "labgate": labgate.LINES,
    }
)
"""For each server its lines by a symptom's identifier; the servers in the order they are shown."""

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {"domain": "lab.example.org", "port": "443", "upstream": "127.0.0.1:8888", "path": "/"}
)
"""What stands in the lines where nothing is known."""

_SPACES = re.compile(r"[\s\x00-\x1f\x7f]")


def filled(lines: str, facts: Mapping[str, str]) -> str:
    """``lines`` with every ``@name@`` replaced by what is known, else by an example.

    ``@authority@`` and ``@origin@`` are the public ones as a browser writes them, without HTTPS's
    own port; those that end in ``-pattern`` are regular expressions for them. A fact with spaces
    or control characters cannot be one, and would make another line of the one it is pasted into.
    """
    known = {**EXAMPLES, **{name: value for name, value in facts.items() if _is_fact(value)}}
    domain, port = known["domain"], known["port"]
    known["authority"] = domain if port == "443" else f"{domain}:{port}"
    known["origin"] = f"https://{known['authority']}"
    port_pattern = "(:443)?" if port == "443" else f":{port}"
    known["authority-pattern"] = re.escape(domain).replace(r"\-", "-") + port_pattern
    known["origin-pattern"] = f"https://{known['authority-pattern']}"
    known["upstream-pattern"] = re.escape(known["upstream"]).replace(r"\-", "-")
    known["path"] = f"/{known['path'].strip('/')}/".replace("//", "/")
    for name, value in known.items():
        lines = lines.replace(f"@{name}@", value)
    return lines


def _is_fact(value: str) -> bool:
    return bool(value) and not _SPACES.search(value)
