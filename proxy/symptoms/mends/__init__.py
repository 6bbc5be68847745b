"""Lines that mend a symptom, by server, ready to paste.

A mend never switches off Jupyter's protection against other sites: no ``allow_origin = "*"``,
and no Origin set on every request, which makes Jupyter's comparison with Host always true.

- ``nginx``, ``caddy``, ``traefik``, ``haproxy``, ``apache``   the proxy in front
- ``labgate``   labgate.toml
- ``jupyter``   jupyter_server_config.py
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from . import nginx

LINES: Mapping[str, Mapping[str, str]] = MappingProxyType({"nginx": nginx.LINES})
"""For each server the lines by a symptom's identifier; servers in the order they are shown."""

EXAMPLES: Mapping[str, str] = MappingProxyType(
    {"domain": "lab.example.org", "port": "443", "upstream": "127.0.0.1:8888", "path": "/"}
)
"""What stands in the lines where nothing is known."""


def filled(lines: str, facts: Mapping[str, str]) -> str:
    """``lines`` with every ``@name@`` replaced by what is known, else by an example.

    ``@authority@`` and ``@origin@`` are the public ones as a browser writes them: without
    the port where it is HTTPS's own. ``@domain-pattern@`` is a regular expression.
    """
    known = {**EXAMPLES, **{name: value for name, value in facts.items() if value}}
    domain, port = known["domain"], known["port"]
    known["authority"] = domain if port == "443" else f"{domain}:{port}"
    known["origin"] = f"https://{known['authority']}"
    known["domain-pattern"] = domain.replace(".", r"\.")
    for name, value in known.items():
        lines = lines.replace(f"@{name}@", value)
    return lines
