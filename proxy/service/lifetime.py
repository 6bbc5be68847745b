"""What one labgate takes over from a predecessor, and hands to a successor.

Tested by tests/service/test_handover.py and tests/e2e/test_takeover.py.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from proxy.service.handover import Handover
from proxy.service.takeover import Takeover

if TYPE_CHECKING:
    from proxy.jupyter.launcher import Launched


def obstacle_of(launched: Launched) -> str:
    """Why no takeover is possible with this Jupyter; empty if one is."""
    if launched.outlives_labgate:
        return ""
    return (
        f"Jupyter ({launched.stopped_with_labgate}) is a process of the running labgate and ends "
        "with it, and so do its kernels: nothing was changed. Save the notebooks, stop that "
        "labgate, and start the new one."
    )


@dataclass(slots=True)
class Lifetime:
    """How labgate began, and how it ends.

    Attributes:
        takeover: What a predecessor handed over; None without one.
        handover: What a successor gets.
        force: Ends every wait when it is set.
        jupyter_too: Whether a Jupyter that outlives labgate is stopped as well. Ctrl-C says so;
            SIGTERM, a closed terminal, and a crash of a service leave its kernels running.
    """

    takeover: Takeover | None = None
    handover: Handover = field(default_factory=Handover)
    force: asyncio.Event = field(default_factory=asyncio.Event)
    jupyter_too: bool = False

    @property
    def is_shared(self) -> bool:
        """Whether a predecessor, which has not released them yet, or a successor owns all, too."""
        unfinished = self.takeover is not None and not self.takeover.is_complete
        return unfinished or bool(self.handover.successor)

    def passed_socket(self, name: str, port: int | None = None) -> socket.socket | None:
        """The predecessor's socket of this name, if it has this port; None without one."""
        passed = self.takeover.sockets.pop(name, None) if self.takeover is not None else None
        if passed is not None and port is not None and passed.getsockname()[1] != port:
            passed.close()
            return None
        return passed
