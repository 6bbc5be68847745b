"""The first messages of a takeover, and the reasons to refuse it.

Tested by tests/service/test_handover.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from proxy import __version__

PROTOCOL = 1

Kind: TypeAlias = Literal["site", "hub"]
"""What a labgate serves: one site with its Jupyters, or a JupyterHub."""

_COMMANDS = {"site": "`labgate up` or `labgate serve`", "hub": "`labgate hub`"}


def hello(kind: Kind) -> dict[str, Any]:
    """The first message of this process."""
    return {"protocol": PROTOCOL, "version": __version__, "pid": os.getpid(), "kind": kind}


def refusal(said: Mapping[str, Any], pid: int, kind: Kind) -> str:
    """Why a successor may not take over; empty if it may.

    Args:
        said: Its first message.
        pid: Its process id.
        kind: What is served here.
    """
    if said.get("protocol") != PROTOCOL:
        return (
            f"labgate {__version__}, which runs, hands over by protocol {PROTOCOL} only. Stop it, "
            "and start the new one."
        )
    # A version without ``kind`` serves the same kind.
    if (other := said.get("kind", kind)) != kind:
        return another_kind(running=kind, starting=str(other))
    if os.environ.get("NOTIFY_SOCKET") and _group(pid) != _group(os.getpid()):
        return (
            "The running labgate is a service, and its manager would lose the new one: "
            "`labgate upgrade` has the service start it."
        )
    return ""


def another_kind(running: str, starting: str) -> str:
    """Why a labgate cannot take over from one that serves something else."""
    return (
        f"The labgate that runs with this state folder is {_COMMANDS.get(running, running)}, from "
        f"which {_COMMANDS.get(starting, starting)} cannot take over. Name another folder with "
        "LABGATE_STATE__FOLDER, or stop the running one first."
    )


def _group(pid: int) -> str:
    """The control group of a process (cgroups(7)); empty where there are none."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text("ascii")
    except OSError:
        return ""
