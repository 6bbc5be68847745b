"""The commands; most options are keys of the configuration."""

from __future__ import annotations

import argparse
import sys

from proxy import __version__
from proxy.cli.cert_options import add_cert
from proxy.cli.debugging_options import add_doctor, add_inspect
from proxy.cli.hub_options import add_hub
from proxy.cli.installation_options import add_installation
from proxy.cli.parser import Parser
from proxy.cli.service_options import add_service_commands
from proxy.cli.serving_options import add_check, add_serve, add_up


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; ``flags`` holds the configuration's part, ``typed`` its options.

    Exits with 2, a sentence and a usage line for what cannot be read.
    """
    parser = Parser(
        prog="labgate",
        description="Puts a Jupyter server on its own domain with one command. `labgate up` alone "
        "serves a new one at https://localhost:8443; `labgate COMMAND --help` explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"labgate {__version__}")
    commands = parser.commands("command", "COMMAND")
    add_up(commands)
    add_serve(commands)
    add_check(commands)
    add_service_commands(commands)
    add_inspect(commands)
    add_cert(commands)
    add_doctor(commands)
    add_hub(commands)
    password = commands.add_parser(
        "password",
        help="ask for a passphrase, print Jupyter's hash",
        description="Ask for a passphrase, or read one line from a pipe, and print its hash: for "
        "jupyter.password in labgate.toml, or with --htpasswd for the file of access.htpasswd.",
    )
    password.add_argument(
        "--htpasswd",
        metavar="USER",
        help="print an htpasswd line for labgate's own login instead: USER:HASH",
    )
    password.set_defaults(flags={}, typed={})
    add_installation(commands)
    return parser.read(sys.argv[1:] if arguments is None else arguments)
