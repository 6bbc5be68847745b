"""The interface of a way to run Jupyter, as a container or as a process.

Tested with each implementation: tests/jupyter/test_container.py and tests/jupyter/test_process.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, Protocol

from proxy.jupyter.exit_cause import ExitCause
from proxy.net.upstream_address import UpstreamAddress

STOP_SECONDS = 10
"""How long Jupyter may take to exit after it was told to; then it is killed."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who can log in.

    ``token`` is empty unless ``kind`` is ``token``; labgate knows only the hash of a password.
    """

    kind: Literal["token", "password", "unknown"]
    token: str = ""


@dataclass(frozen=True, slots=True)
class Launched:
    """A Jupyter that was started, but may not answer yet (see ``readiness``).

    Attributes:
        address: The address that Jupyter listens on.
        login: Who can log in.
        description: For the start-up lines: ``container jupyter (image …), adopted``.
        stopped_with_labgate: What ``stop`` stops, as ``container jupyter``; empty for nothing.
        work_location: Where files are stored, for the start-up lines.
        outlives_labgate: Whether ``leave`` leaves it running, with its kernels.
    """

    address: UpstreamAddress
    login: Login
    description: str
    stopped_with_labgate: str = ""
    work_location: str = ""
    outlives_labgate: bool = False


@dataclass(frozen=True, slots=True)
class JupyterExit:
    """The final exit of a Jupyter that nobody restarted.

    ``reason`` is a sentence without a full stop, ``last_lines`` the end of Jupyter's log.
    """

    exit_code: int
    reason: str
    last_lines: tuple[str, ...]
    cause: ExitCause = ExitCause.UNKNOWN


class Launcher(Protocol):
    """One way to run Jupyter. Methods are called from one event loop."""

    async def launch(self) -> Launched:
        """Start Jupyter, or adopt a running one; does not wait until it answers.

        Raises:
            StartError: With the reason and what to do.
        """

    async def wait_for_exit(self) -> JupyterExit:
        """Wait until Jupyter has exited for good."""

    async def relaunch(self) -> Launched:
        """Start Jupyter again after its exit, if possible at the same address with the same login.

        A Jupyter that somebody else has started meanwhile is adopted.

        Raises:
            StartError: It cannot be started now; a later attempt may succeed.
        """

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        """The end of Jupyter's log."""

    def follow_log(self, count: int) -> AsyncIterator[str]:
        """The last ``count`` lines of Jupyter's log, then every new one until it exits."""

    async def condition(self) -> str:
        """Its state in the system's words, as ``running`` or ``paused``; empty if unknown."""

    async def leave(self) -> None:
        """Release everything, and leave running what outlives labgate; stop the rest."""

    async def stop(self) -> None:
        """Stop Jupyter, launched now or adopted. Idempotent.

        If cancelled, the request to stop was sent, but its effect is not awaited.
        """
