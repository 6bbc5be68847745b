"""The options of ``labgate inspect`` and ``labgate doctor``.

Tested by tests/cli/test_arguments.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxy.cli.parser import Key, add_command

SERVERS = ("nginx", "caddy", "traefik", "haproxy", "apache", "jupyter", "labgate")
"""Whose lines ``labgate doctor`` can show."""

INSPECT = """\
Show the requests of the labgate that runs with the same state folder, as they
come, and print the address of its page. NUMBER shows one of them, whole.

With --upstream no labgate has to run: that Jupyter, or a proxy in front of it, is
served on http://localhost:8080. Every request is let through as it came. Shown is
which ones labgate would have refused, and why Jupyter refuses what it does."""


def add_inspect(commands: Any) -> None:
    """``labgate inspect``."""
    command = add_command(commands, "inspect", "see every request of a running labgate", INSPECT)
    add = command.add_argument
    add("number", nargs="?", type=int, metavar="NUMBER", help="only this one, whole")
    add("--filter", default="", metavar="WORDS", help='as "status:4xx path:/api rule:origin is:ws"')
    add("--only", choices=("errors",), help="only what failed or was refused")
    add("--json", action="store_true", help="one exchange a line, for jq")
    add("--content", action="store_true", help="capture bodies and messages too")
    add("--off", action="store_true", help="switch the capture off, and end")
    add(
        "--upstream",
        action=Key,
        key="upstream.url",
        metavar="URL",
        help="observe this one on loopback; http://host:port, https:// or unix:/path",
    )
    add(
        "--ca",
        action=Key,
        key="upstream.ca",
        metavar="FILE",
        help="trust this CA where that is https (else those of the system)",
    )
    add(
        "--insecure",
        action=Key,
        key="upstream.verify",
        value=False,
        help="trust any certificate there",
    )
    add(
        "--port",
        action=Key,
        key="listen.http_port",
        metavar="PORT",
        help="with --upstream: where it is served (default 8080)",
    )
    add(
        "--domain",
        action=Key,
        key="site.domains",
        repeat=True,
        metavar="NAME:PORT",
        help="with --upstream behind a proxy: what the browser shows, a name of this machine, as "
        "localhost:8443; may be repeated",
    )


def add_doctor(commands: Any) -> None:
    """``labgate doctor``."""
    text = """\
Find out why a Jupyter behind any proxy refuses requests: labgate, nginx, Caddy,
Traefik, HAProxy, Apache.

It asks as a browser would, names what is wrong, Jupyter's check or the proxy's
setting behind it, and prints the lines that mend it. A kernel, a terminal and a
file that it makes are removed again. Exit code 0 if nothing is wrong, 1 if
something is.

Without URL it examines the labgate that runs with the same state folder, with
its CA and the token of its Jupyter; if none runs, https://localhost:8443. Of
several Jupyters behind it, one has to be named.

The token or the password is asked for when it is needed, and sent to this
address only. In scripts: --token-file, or LABGATE_DOCTOR_TOKEN or
LABGATE_DOCTOR_PASSWORD in the environment."""
    command = add_command(commands, "doctor", "find out why a proxy breaks Jupyter", text)
    command.usage = "%(prog)s [URL] [OPTION …]"
    option = command.add_argument
    option("url", nargs="?", default="", metavar="URL", help="what you open in a browser")
    option(
        "--upstream",
        metavar="URL",
        help="Jupyter's own address (or unix:/path): asks it directly, and compares",
    )
    option("--token", metavar="TOKEN", help="can be seen by others on this machine")
    option("--token-file", type=Path, metavar="FILE", help="a file with the token")
    option("--password", action="store_true", help="ask for the password (from a pipe: its line)")
    option("--password-file", type=Path, metavar="FILE", help="a file with the password")
    option("--long", action="store_true", help="also 70 s of silence on a WebSocket")
    option("--insecure", action="store_true", help="trust any certificate")
    option("--ca", type=Path, metavar="FILE", help="trust this CA, too")
    option(
        "--http-port",
        type=int,
        metavar="PORT",
        help="the port of plain HTTP that redirects to HTTPS (default 80, if HTTPS is on 443)",
    )
    option("--json", action="store_true", help="print JSON")
    option(
        "--mend-for",
        choices=(*SERVERS, "all"),
        default="",
        metavar="SERVER",
        help="nginx, caddy, traefik, haproxy, apache, jupyter, labgate or all (default: the one "
        "that answers)",
    )
