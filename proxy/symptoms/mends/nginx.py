"""Lines for nginx, checked with nginx 1.22 by tests/symptoms/test_mends.py.

A location that has one ``proxy_set_header`` inherits none from the server block, so they all
belong into the location of Jupyter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_HOST = """\
# In the location of Jupyter, instead of every other line for Host and for Origin: Jupyter
# compares them with each other, so both must arrive as the browser sent them.
proxy_set_header Host $http_host;
"""

_UPGRADE = """\
# Before the server block:
map $http_upgrade $connection_upgrade {
    default upgrade;
    ""      "";
}
# In the location of Jupyter, for every path, instead of other lines for Upgrade and Connection:
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade;
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "origin-refused": _HOST,
        "referer-refused": _HOST,
        "websocket-not-upgraded": _UPGRADE,
    }
)
"""By the identifier of a symptom."""
