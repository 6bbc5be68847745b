"""What ``labgate doctor`` could not remove from a Jupyter, and how to remove it by hand.

Tested by tests/doctor/test_hanging.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from proxy.doctor.belongings import Leftover
from proxy.doctor.target import Target


def told_left(left: Sequence[Leftover], target: Target) -> list[str]:
    """Sentences and commands for people.

    Args:
        left: What may be there still.
        target: Where that Jupyter is.
    """
    lines = [f"This may still be in Jupyter: the {one.what}." for one in left]
    if not lines:
        return []
    lines.append(
        "Remove it in JupyterLab (Running Terminals and Kernels; the file browser), or so, with "
        "Jupyter's token:"
    )
    socket = f"--unix-socket {quote(target.socket)} " if target.socket else ""
    for one in left:
        if one.path:
            url = quote(f"{target.origin}{target.base}{one.path}")
            lines.append(f"  curl -X DELETE -H 'Authorization: token TOKEN' {socket}{url}")
    if not any(one.path for one in left):
        lines[-1] = "Remove it in JupyterLab (Running Terminals and Kernels)."
    return lines
