"""Lines for jupyter_server_config.py, checked with jupyter_server 2.21.

In a container they are options: ``start-notebook.py --ServerApp.trust_xheaders=True``.

Tested by tests/symptoms/test_mends.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PUBLIC_NAME = """\
# Jupyter serves its public name too, where the proxy passes Host on.
c.ServerApp.local_hostnames = ["localhost", "@domain@"]
"""

_BEHIND_HTTPS = """\
# Believe X-Forwarded-Proto. Only the proxy may then reach Jupyter's port.
c.ServerApp.trust_xheaders = True
"""

_ONE_SITE = """\
# Never "*": it lets pages of every site run code here. Empty, Jupyter compares Origin with Host.
c.ServerApp.allow_origin = ""
c.ServerApp.allow_origin_pat = ""
c.ServerApp.disable_check_xsrf = False
"""

LINES: Mapping[str, str] = MappingProxyType(
    {
        "host-refused": PUBLIC_NAME,
        "origin-refused": PUBLIC_NAME,
        "cross-origin-open": _ONE_SITE,
        "xsrf-lost": """\
# Where two Jupyters share a name, each needs cookies of its own: another name or another path.
c.ServerApp.base_url = "/lab-one/"
""",
        "cookie-flags": _BEHIND_HTTPS,
        "forwarded-proto": _BEHIND_HTTPS,
        "message-limit": """\
# What the browser may send in one message, in bytes; the default is 10 MiB.
c.ServerApp.tornado_settings = {"websocket_max_message_size": 100 * 1024 * 1024}
""",
        "body-limit": """\
# In bytes; the default is 512 MiB.
c.ServerApp.max_body_size = 4 * 1024**3
c.ServerApp.max_buffer_size = 4 * 1024**3
""",
        "base-url": """\
# The path that arrives, so that Jupyter writes it into its page.
c.ServerApp.base_url = "@path@"
""",
    }
)
"""By the identifier of a symptom."""

BESIDE_A_PROXY: Mapping[str, str] = MappingProxyType(
    {
        "host-refused": "Or have the proxy pass Host on, and",
        "origin-refused": "And, unless Jupyter knows this name already,",
        "cross-origin-open": "Or, where the proxy has nothing of that,",
        "xsrf-lost": "Or, where two Jupyters share one name,",
        "cookie-flags": "Or",
        "forwarded-proto": "And, unless it is there already,",
        "message-limit": "And, for messages of more than Jupyter's own 10 MiB,",
        "body-limit": "And, for uploads of more than Jupyter's own 512 MiB,",
        "base-url": "Or let Jupyter know the path that arrives,",
    }
)
"""How Jupyter's lines go together with a proxy's, by the identifier of a symptom."""
