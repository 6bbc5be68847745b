"""labgate also runs on laptops, often Macs: what only Linux has is named here, with its guard.

`make check` runs mypy for macOS over proxy/, which finds every attribute of the standard library
that macOS lacks. This finds what mypy cannot see: files of /proc, functions of a C library,
options by name, commands in sentences.
"""

from __future__ import annotations

import re
from pathlib import Path

PROXY = Path(__file__).parent.parent / "proxy"

LINUX = re.compile(
    r'(?<!\w)/proc\b|(?<!\w)/sys/|CDLL\(None\)|prctl|malloc_trim|mallopt\(|CS_GNU_LIBC|"TCP_[A-Z]+"'
    r"|\bss -|SO_REUSEPORT, 1|fdinfo|getattr\((?:os|socket|signal|resource), \""
)

GUARDED = {
    "allocator.py": "CS_GNU_LIBC",  # an unknown name is a ValueError there
    "edge/listener.py": 'sys.platform == "linux"',
    "jupyter/child.py": 'sys.platform == "linux"',
    "jupyter/family.py": "Linux only; elsewhere nothing is found",
    "process.py": "(OSError, AttributeError)",
    "upstream/keepalive.py": "if hasattr(socket, name)",
    "workers/sockets.py": 'BALANCED = sys.platform == "linux"',
}
"""File, and the line that has labgate do without."""


def test_what_only_linux_has_is_guarded() -> None:
    found = {
        str(file.relative_to(PROXY))
        for file in PROXY.rglob("*.py")
        if LINUX.search(file.read_text("utf-8"))
    }
    assert found == set(GUARDED), "say here how labgate does without it on a Mac"
    for file, guard in GUARDED.items():
        assert guard in (PROXY / file).read_text("utf-8"), file


def test_the_types_are_checked_for_macos() -> None:
    assert "--platform darwin" in (PROXY.parent / "Makefile").read_text("utf-8")
