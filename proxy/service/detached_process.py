"""A process that is not a child of this one, so that it lives on with the service manager.

systemd waits for the end of its service's main process only if that is its own child: another it
kills at once after SIGTERM. So a process between starts it and ends, and process 1 adopts it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

from proxy.runtime.daemon_thread import run_in_daemon_thread

# Its own standard output is the pipe that the identifier comes through.
_STARTER = """
import subprocess, sys
output, alive, *command = sys.argv[1:]
started = subprocess.Popen(
    command, stdin=subprocess.DEVNULL, stdout=int(output), pass_fds=[int(alive)]
)
started.returncode = 0  # nobody here waits for it
print(started.pid)
"""


class DetachedProcess:
    """A running process that process 1 has adopted.

    Attributes:
        pid: Its identifier.

    Args:
        command: The command.
        environment: Its whole environment.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        # Nothing is ever written: the end of the file is the end of the process.
        self._alive, alive = os.pipe()
        output = os.dup(sys.__stdout__.fileno() if sys.__stdout__ is not None else 2)
        try:
            started = subprocess.run(  # noqa: S603
                [sys.executable, "-I", "-c", _STARTER, str(output), str(alive), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=environment,
                pass_fds=(output, alive),
                check=False,
            )
            if started.returncode:
                raise OSError(f"{command[0]} cannot be started")
        except OSError:
            os.close(self._alive)
            raise
        finally:
            os.close(output)
            os.close(alive)
        self.pid = int(started.stdout)

    async def wait(self) -> None:
        """Wait until it has ended; call it once."""
        await run_in_daemon_thread("detached process", self._wait)

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it, whatever it does."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def _wait(self) -> None:
        with open(self._alive, "rb") as pipe:
            pipe.read()
