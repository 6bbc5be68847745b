"""labgate also runs on laptops, often Macs: what only Linux has is named here, with its guard.

`make check` runs mypy for macOS over proxy/, which finds every attribute of the standard library
that macOS lacks. This finds what mypy cannot see: files of /proc, functions of a C library,
options by name, commands in sentences.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from proxy.net.keepalive import options
from proxy.runtime.system_commands import LINUX, MACOS, Commands, how_to_start

PROXY = Path(__file__).parent.parent / "proxy"

ONLY_LINUX = re.compile(
    "|".join(
        (
            r"(?<!\w)/proc\b",
            r"(?<!\w)/sys/",
            r"CDLL\(None\)|prctl|malloc_trim|mallopt\(",
            r'"TCP_[A-Z]+"|SO_REUSEPORT, 1',
            r"\bss -|systemctl |journalctl ",
            r'getattr\((?:os|socket|signal|resource), "',
        )
    )
)

GUARDED = {
    "runtime/system_commands.py": 'sys.platform == "linux"',
    "runtime/instance_lock.py": 'ABSTRACT = sys.platform == "linux"',
    "jupyter/exec_wrapper.py": 'sys.platform == "linux"',
    "jupyter/process_tree.py": "Linux only; elsewhere nothing is found",
    "jupyter/folder_permissions.py": "# Asked inside: only there",  # containers are Linux
    "jupyter/unsaved_changes.py": "# What comes and goes by itself",  # in a container, too
    "runtime/memory.py": "(OSError, AttributeError)",
    "net/keepalive.py": "if hasattr(system, name)",
    "net/send_buffer.py": "if _OPTION is not None",
    "workers/sockets.py": 'KERNEL_BALANCES = sys.platform == "linux"',
    "runtime/resident_memory.py": "0 where there is no /proc",
    "service/hello.py": "empty where there are none",
    "service/container_end.py": "# everywhere but on Linux",
    "service/unit_name.py": 'if not environment.get("NOTIFY_SOCKET")',
    "service/unit_files.py": "0 if there is none",
    "service/systemctl.py": "as on every system but Linux",
    "check/socket_unit.py": "or there is no systemd",
    "net/given_ports.py": "`systemctl restart labgate.socket",  # only systemd gives some
    "cli/install_service.py": "There is no systemctl here",
    "cli/running.py": 'unit = status["service"]\n    if unit:',  # only systemd names one
    "cli/service_options.py": "for a service of\nsystemd journalctl",
}
"""File, and the line that has labgate do without."""


def test_what_only_linux_has_is_guarded() -> None:
    found = {
        str(file.relative_to(PROXY))
        for file in PROXY.rglob("*.py")
        if ONLY_LINUX.search(file.read_text("utf-8"))
    }
    assert found == set(GUARDED), "say here how labgate does without it on a Mac"
    for file, guard in GUARDED.items():
        assert guard in (PROXY / file).read_text("utf-8"), file


@pytest.mark.parametrize("commands", [LINUX, MACOS])
def test_a_taken_port_is_explained_with_a_command_of_the_system(commands: Commands) -> None:
    assert re.fullmatch(r"`(ss|lsof) .*:8443\b.*`", commands.listener_of(8443))


def test_no_command_for_a_mac_is_one_that_only_linux_has() -> None:
    assert ONLY_LINUX.search(repr(LINUX))
    assert not ONLY_LINUX.search(repr(MACOS))


def test_labgate_is_started_as_the_service_where_one_is_installed(tmp_path: Path) -> None:
    terminal = "Start one with `labgate up` or `labgate serve`"
    assert how_to_start(tmp_path) == terminal
    (tmp_path / "labgate.socket").touch()
    assert how_to_start(tmp_path) == terminal
    (tmp_path / "labgate.service").touch()
    both = "Start the service with `systemctl start labgate.socket labgate`, or "
    assert how_to_start(tmp_path).startswith(both)
    (tmp_path / "labgate.socket").unlink()
    assert "`systemctl start labgate`, or " in how_to_start(tmp_path)


def test_a_vanished_peer_is_noticed_on_macos() -> None:
    macos = SimpleNamespace(TCP_KEEPALIVE=0x10, TCP_KEEPINTVL=0x101, TCP_KEEPCNT=0x102)
    assert options(macos) == [(0x10, 60), (0x101, 15), (0x102, 4)]
    assert len(options(socket)) == 3


def test_the_types_are_checked_for_macos() -> None:
    assert "--platform darwin" in (PROXY.parent / "Makefile").read_text("utf-8")
