"""The units and the configuration for one machine, made of the shipped files; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.config.toml_value import toml_value

NOTIFY_RELOAD_SINCE = 253
"""The version of systemd that knows ``Type=notify-reload``."""
SHIPPED_COMMAND = "/usr/local/bin/labgate"
SHIPPED_CONFIGURATION = "/etc/labgate/labgate.toml"

WRITTEN = """\
# Written by `labgate install-service`; `labgate uninstall-service` removes it.
#
# NAME=value is a setting, and a line that begins with # explains the ones below it. To change some,
# run `systemctl edit labgate`: what you write there overrides this file, and stays when this file
# is written again.

"""
UNSAFE = re.compile(r"[\x00-\x1f\x7f'\"\\]")
"""systemd starts no program with one of these in its path."""
_VERSION = re.compile(r"systemd (\d+)")
_PLAIN = re.compile(r"[\w./@+-]+")
_LISTEN = re.compile(r"(?m)^ListenStream=.*\n")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the units depend on.

    Attributes:
        command: The path of ``labgate``.
        configuration: The path of ``labgate.toml``.
        systemd: The version of systemd; 0 if it is not known.
    """

    command: str
    configuration: str = SHIPPED_CONFIGURATION
    systemd: int = 0


def systemd_version(said: str) -> int:
    """The number in the output of ``systemctl --version``; 0 if there is none."""
    found = _VERSION.search(said)
    return int(found[1]) if found else 0


def service_unit(shipped: str, machine: Machine, *, serve: bool) -> str:
    """``labgate.service`` for this machine.

    Args:
        shipped: ``config/labgate.service``.
        machine: Where it runs.
        serve: Serve a Jupyter that runs already, and start none in the Docker Engine.
    """
    unit = shipped[shipped.index("[Unit]") :]
    if serve:
        unit = re.sub(r"(?m)^ExecStart=.*\n# For a Jupyter.*\n#(ExecStart=)", r"\1", unit)
        unit = unit.replace("network-online.target docker.service", "network-online.target")
        unit = unit.replace("# The first start pulls Jupyter's image: gigabytes.\n", "")
        unit = unit.replace("TimeoutStartSec=15min", "TimeoutStartSec=2min")
    else:
        unit = re.sub(r"(?m)^# For a Jupyter that runs already.*\n#ExecStart=.*\n", "", unit)
    if machine.systemd >= NOTIFY_RELOAD_SINCE:
        unit = unit.replace(
            "Type=notify\n",
            "# A reload is over when labgate says so. ExecReload (below) begins it, and so would\n"
            "# the signal that systemd sends first: SIGCONT is one that changes nothing.\n"
            "Type=notify-reload\n"
            "ReloadSignal=SIGCONT\n",
        )
    unit = unit.replace(SHIPPED_COMMAND, unit_word(machine.command, is_command=True))
    unit = unit.replace(SHIPPED_CONFIGURATION, unit_word(machine.configuration))
    return WRITTEN + unit


def unit_word(text: str, *, is_command: bool = False) -> str:
    """A word of a command line in a unit, quoted if need be (systemd.service(5), COMMAND LINES).

    Args:
        text: The word.
        is_command: It is the path of the program, in which systemd expands no variables.
    """
    if _PLAIN.fullmatch(text):
        return text
    text = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n").replace("%", "%%")
    return f'"{text}"' if is_command else f'"{text.replace("$", "$$")}"'


def socket_unit(shipped: str, listening: Sequence[str]) -> str:
    """``labgate.socket`` for these addresses, as ``0.0.0.0:443``."""
    lines = "".join(f"ListenStream={address}\n" for address in listening)
    first = _LISTEN.search(shipped)
    assert first is not None, "config/labgate.socket has addresses"
    return shipped[: first.start()] + lines + _LISTEN.sub("", shipped[first.start() :])


def configuration_file(shipped: str, values: Mapping[str, Mapping[str, Any]]) -> str:
    """``labgate.toml`` with some keys set, each where it is explained.

    Args:
        shipped: ``config/labgate.toml``, in which every key is commented out.
        values: By section and key.
    """
    lines, section = [], ""
    left = {(name, key): value for name, keys in values.items() for key, value in keys.items()}
    for line in shipped.splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        key = re.fullmatch(r"#(?:   )?([a-z_]+) = .*", line)
        if key and (section, key[1]) in left:
            lines.append(f"{key[1]} = {toml_value(left.pop((section, key[1])))}")
        else:
            lines.append(line)
    assert not left, f"config/labgate.toml explains every key: {sorted(left)}"
    return "\n".join(lines) + "\n"
