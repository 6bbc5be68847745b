"""The options of ``labgate install-service`` and ``uninstall-service``.

Tested by tests/cli/test_arguments.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proxy.cli.parser import Parser, add_command
from proxy.cli.serving_options import add_serving_options

INSTALL = """\
Make labgate a service of systemd, which starts it at every boot and again when it
fails. Writes three files and says what each is for: labgate.service, labgate.socket
and /etc/labgate/labgate.toml, in which the options given here are set. Nothing is
started. --dry-run prints the files instead.

A file that was changed by somebody is never replaced unless --overwrite says so;
the changed one is then kept beside it, as FILE.old."""

UNINSTALL = """\
Stop labgate's service, and remove exactly the files that install-service wrote.
Files that were changed since stay and are named, and so do certificates, the login
token and everything that was saved in Jupyter."""


def add_installation(commands: Any) -> None:
    """``labgate install-service`` and ``uninstall-service``."""
    short = "make labgate a service of systemd"
    install = add_command(commands, "install-service", short, INSTALL)
    install.add_argument("--dry-run", action="store_true", help="print the files, write nothing")
    install.add_argument(
        "--overwrite", action="store_true", help="replace changed files, and keep them as FILE.old"
    )
    _root(install)
    add_serving_options(install)
    short = "remove the service"
    uninstall = add_command(commands, "uninstall-service", short, UNINSTALL)
    uninstall.add_argument("--dry-run", action="store_true", help="only say what it would do")
    _root(uninstall)


def _root(command: Parser) -> None:
    command.add_argument(
        "--root",
        type=Path,
        metavar="FOLDER",
        help="for images: the files below this folder, and no systemctl",
    )
