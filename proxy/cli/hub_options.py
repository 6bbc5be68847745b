"""The options of ``labgate hub``: those of configurable-http-proxy, and a few more.

Tested by tests/cli/test_hub_options.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from proxy import __version__
from proxy.cli.parser import Parser

KEEP_ALIVE_MS = 5000

HUB = """\
The proxy of a JupyterHub: configurable-http-proxy's flags, environment variables
and API.

In jupyterhub_config.py: c.ConfigurableHTTPProxy.command = ["labgate", "hub"]

The API wants the token in CONFIGPROXY_AUTH_TOKEN; without one labgate makes it,
and the log names its file. A passphrase of --ssl-key is
CONFIGPROXY_SSL_KEY_PASSPHRASE, of --api-ssl-key CONFIGPROXY_API_SSL_KEY_PASSPHRASE."""


def add_hub(commands: Any) -> None:
    """``labgate hub``."""
    command: Parser = commands.add_parser(
        "hub",
        help="the proxy of a JupyterHub",
        description=HUB,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(flags={}, typed={})
    _add_addresses(command)
    _add_tls(command)
    _add_targets(command)
    _add_forwarding(command)
    _add_running(command)
    _add_without_effect(command)


def _add_addresses(command: Parser) -> None:
    add = command.add_argument_group("where it listens").add_argument
    add("--ip", metavar="ADDRESS", help="for clients (default: all of this machine)")
    add("--port", type=int, metavar="PORT", help="for clients (default 8000)")
    add("--socket", type=Path, metavar="PATH", help="a Unix socket for clients instead")
    add("--api-ip", metavar="ADDRESS", help="for the Hub (default localhost)")
    add("--api-port", type=int, metavar="PORT", help="for the Hub (default: --port + 1)")
    add("--api-socket", type=Path, metavar="PATH", help="a Unix socket for the Hub instead")
    add("--metrics-ip", metavar="ADDRESS", help="for Prometheus (default: all)")
    add("--metrics-port", type=int, metavar="PORT", help="for Prometheus (default: no metrics)")
    add("--metrics-socket", type=Path, metavar="PATH", help="a Unix socket for it instead")
    add("--redirect-port", type=int, metavar="PORT", help="plain HTTP that redirects to HTTPS")
    add("--redirect-to", type=int, metavar="PORT", help="where to (default: --port)")


def _add_tls(command: Parser) -> None:
    groups = (
        ("ssl", "towards clients"),
        ("api-ssl", "of the API"),
        ("client-ssl", "towards https targets"),
    )
    for name, where in groups:
        add = command.add_argument_group(f"TLS {where}").add_argument
        add(f"--{name}-key", type=Path, metavar="FILE", help="PEM file of the key")
        add(f"--{name}-cert", type=Path, metavar="FILE", help="PEM file of the certificate")
        add(f"--{name}-ca", type=Path, metavar="FILE", help="PEM file of authorities to trust")
        verified = name == "client-ssl"
        add(
            f"--{name}-request-cert",
            action="store_true",
            help="targets always show one" if verified else "refuse clients without a certificate",
        )
        add(
            f"--{name}-reject-unauthorized",
            action="store_true",
            help="targets are always verified" if verified else "--request-cert does this already",
        )
    command.add_argument("--insecure", action="store_true", help="trust any target's certificate")


def _add_targets(command: Parser) -> None:
    add = command.add_argument_group("routes and error pages").add_argument
    add("--default-target", default="", metavar="URL", help="the target of /")
    add("--host-routing", action="store_true", help="the first segment of a route is a host")
    add("--storage", type=Path, metavar="FILE", help="keep the routes in this file (mode 0600)")
    add("--error-target", default="", metavar="URL", help="URL/404?url=… is the page of a 404")
    add("--error-path", type=Path, metavar="FOLDER", help="has 404.html, 503.html, error.html")
    add(
        "--public-origin",
        default="",
        metavar="ORIGIN",
        help="check Host and Origin against it, as https://hub.example.org (default: the Hub does)",
    )


def _add_forwarding(command: Parser) -> None:
    add = command.add_argument_group("what targets and clients get").add_argument
    add("--no-x-forward", dest="x_forward", action="store_false", help="leave X-Forwarded-* alone")
    add(
        "--no-prepend-path",
        dest="prepend_path",
        action="store_false",
        help="leave out the path in a target",
    )
    add(
        "--no-include-prefix",
        dest="include_prefix",
        action="store_false",
        help="leave out a route's prefix",
    )
    add("--change-origin", action="store_true", help="send the target's authority as Host")
    add("--auto-rewrite", action="store_true", help="write the public host in redirects")
    add(
        "--protocol-rewrite",
        default="",
        choices=("http", "https"),
        help="the scheme to write in redirects",
    )
    add(
        "--custom-header",
        action="append",
        default=[],
        metavar="NAME:VALUE",
        help="set this field in each request; may be repeated",
    )
    milliseconds = "MILLISECONDS"
    add("--timeout", type=int, default=0, metavar=milliseconds, help="as --proxy-timeout")
    add(
        "--proxy-timeout",
        type=int,
        default=0,
        metavar=milliseconds,
        help="how long a target may take to begin its response (default: any time)",
    )
    add(
        "--keep-alive-timeout",
        type=int,
        default=KEEP_ALIVE_MS,
        metavar=milliseconds,
        help=f"how long a client's connection may be idle (default, and for 0: {KEEP_ALIVE_MS})",
    )


def _add_running(command: Parser) -> None:
    add = command.add_argument_group("the process").add_argument
    add("--pid-file", type=Path, metavar="FILE", help="has the process id while it runs")
    add(
        "--log-level",
        type=str.lower,
        default="info",
        choices=("debug", "info", "warn", "error"),
        help="debug shows every request (default info)",
    )
    add(
        "--log-format",
        choices=("text", "json"),
        help="of each line (default: LABGATE_LOG__FORMAT, or text)",
    )
    add("--workers", type=int, default=1, metavar="NUMBER", help="processes (default 1)")
    add(
        "--take-over",
        action="store_true",
        help="take over from the labgate hub that runs: no request is lost",
    )
    add("-V", "--version", action="version", version=f"labgate {__version__}")


def _add_without_effect(command: Parser) -> None:
    add = command.add_argument_group("accepted, without an effect").add_argument
    add("--ssl-protocol", metavar="NAME", help="TLS 1.2 and 1.3 are spoken")
    add("--ssl-ciphers", metavar="LIST", help="Mozilla's intermediate profile is used")
    add("--ssl-allow-rc4", action="store_true", help="the same")
    add("--ssl-dhparam", metavar="FILE", help="there is no finite-field Diffie-Hellman")
    add("--storage-backend", metavar="MODULE", help="a module of node; see --storage")
