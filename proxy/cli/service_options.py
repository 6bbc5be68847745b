"""The options of the commands that speak with a running labgate.

Tested by tests/cli/test_arguments.py.
"""

from __future__ import annotations

from typing import Any

from proxy.cli.parser import add_command

STATUS = """\
Show what the labgate with the same state folder does: since when, where, whether
Jupyter answers, open WebSockets, certificates, lockouts, memory, the last
warnings. One fact a line where there is no terminal; --json for programs."""

LOGS = """\
Print the last lines of Jupyter's log: of the container or the process that
labgate launched. labgate's own log is its standard error: for a service of
systemd journalctl -u labgate, else docker logs, or the terminal."""

RELOAD = """\
Have the running labgate read its configuration again: file, certificates,
htpasswd. Open connections and WebSockets live on. What cannot be used is
refused as a whole, and the configuration from before stays in force: exit
code 1. Flags of the start still override the file."""

UPGRADE = """\
Have the running labgate start its successor, from the files that are installed
now and with the options of its own start. The successor takes over ports, locks
and Jupyter; no request is lost. Open WebSockets stay with the one before, which
ends with the last of them, or after listen.handover_seconds. If the successor
cannot serve, nothing changes: exit code 1."""

STOP = """\
Stop the labgate with the same state folder, and the Jupyter that it launched.
Files are kept, kernels end. A labgate that is a service of systemd is stopped
together with the socket that would start it again, which only root may do.
`systemctl stop labgate` stops labgate alone: the container and its kernels go on."""

OPEN = """\
Open Lab in the browser of this machine, logged in with the token. Where there is
no browser, the address is printed: it contains the token."""

UNLOCK = """\
Let an address in again that was locked out after too many failed logins. Lockouts
are listed by labgate status; access.login_failures and access.lockout_seconds
say when an address is locked out, and for how long."""


def add_service_commands(commands: Any) -> None:
    """``labgate status``, ``reload``, ``upgrade``, ``logs``, ``open``, ``unlock`` and ``stop``."""
    status = add_command(commands, "status", "show what a running labgate does", STATUS)
    status.add_argument("--json", action="store_true", help="print JSON; its keys are stable")
    add_command(commands, "reload", "have the running labgate read its configuration again", RELOAD)
    add_command(commands, "upgrade", "replace the running labgate by the installed one", UPGRADE)
    logs = add_command(commands, "logs", "show Jupyter's log", LOGS)
    logs.add_argument("-f", "--follow", action="store_true", help="go on with new lines")
    logs.add_argument(
        "-n", "--lines", type=int, default=100, metavar="N", help="how many (default 100)"
    )
    add_command(commands, "open", "open Lab in the browser, logged in", OPEN)
    unlock = add_command(commands, "unlock", "lift the lockout of an address", UNLOCK)
    unlock.add_argument("address", metavar="ADDRESS", help="an IP address, as status shows it")
    add_command(commands, "stop", "stop a running labgate and its Jupyter", STOP)
