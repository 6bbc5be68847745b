"""What ``labgate up`` asks of a way to run Jupyter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from proxy.jupyter.exit_cause import ExitCause
from proxy.net.upstream_address import UpstreamAddress


@dataclass(frozen=True, slots=True)
class Login:
    """Who can log in.

    ``token`` is empty unless ``kind`` is ``token``; for ``password`` only the person who
    chose it knows it.
    """

    kind: Literal["token", "password", "unknown"]
    token: str = ""


@dataclass(frozen=True, slots=True)
class Launched:
    """A Jupyter that was asked to start; whether it answers yet is ``readiness``'s matter.

    Attributes:
        address: Where it will listen.
        login: Who can log in.
        description: For the start-up lines: ``container jupyter (image …), adopted``.
        stopped_with_labgate: What ``stop`` stops, as ``container jupyter``; empty for nothing.
        work_location: Where people's work is kept, for the start-up lines.
    """

    address: UpstreamAddress
    login: Login
    description: str
    stopped_with_labgate: str = ""
    work_location: str = ""


@dataclass(frozen=True, slots=True)
class JupyterExit:
    """Jupyter ended, and nobody started it again.

    ``exit_code`` is the process's own; ``reason`` a sentence without full stop;
    ``last_lines`` the end of its log; ``cause`` whose doing it was.
    """

    exit_code: int
    reason: str
    last_lines: tuple[str, ...]
    cause: ExitCause = ExitCause.UNKNOWN


class Launcher(Protocol):
    """One way to run Jupyter. Methods are called from one event loop."""

    async def launch(self) -> Launched:
        """Adopt, start or replace; returns as soon as the engine or the kernel took it.

        Raises:
            StartError: With the reason and the mend.
        """

    async def wait_for_exit(self) -> JupyterExit:
        """Wait until Jupyter has ended (it may never)."""

    async def relaunch(self) -> Launched:
        """Start it again after it ended.

        At the same address and with the same login, where that can be. One that somebody else
        started meanwhile is left as it is.

        Raises:
            StartError: It cannot be started now; a later try may succeed.
        """

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        """The end of Jupyter's log."""

    async def stop(self) -> None:
        """Stop the Jupyter that is labgate's: launched now or by an earlier run. Idempotent.

        Cancelled, it waits no longer for an end that was asked for.
        """
