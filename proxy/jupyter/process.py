"""Jupyter as a process of the user who runs labgate."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from shlex import quote

from proxy.config.jupyter_settings import JupyterSettings
from proxy.errors import StartError
from proxy.jupyter import exec_wrapper, process_tree
from proxy.jupyter.exit_cause import hung_exit, is_ending, process_exit
from proxy.jupyter.launcher import STOP_SECONDS, JupyterExit, Launched, Login
from proxy.jupyter.leftover_process import end_leftover, remember_process
from proxy.jupyter.login_token import login_token
from proxy.jupyter.port import LOOPBACK, default_or_free_port, require_free_port
from proxy.jupyter.port_watch import wait_until_closed
from proxy.jupyter.process_command import (
    INSTALL_COMMAND,
    arguments,
    environment,
    jupyter_program,
    write_configuration,
)
from proxy.jupyter.process_log import ProcessLog
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate.jupyter")

CLOSED_SECONDS = 60.0
"""A Jupyter whose port has been closed for this long was about to exit and hangs, for example
because a thread of its own does not end."""
KERNELS_END_SECONDS = 300.0
"""As long as its kernels run, it may wait for them, and they may be saving what they have
(``KernelManager.shutdown_wait_time``)."""
WATCH_INTERVAL_SECONDS = 5.0
FINAL_OUTPUT_SECONDS = 0.5
MAX_JUDGED_LINES = 200


class ProcessLauncher:
    """Runs ``jupyter lab`` on the loopback interface."""

    def __init__(
        self,
        settings: JupyterSettings,
        token_folder: Path,
        *,
        stop_seconds: float = STOP_SECONDS,
        closed_seconds: float = CLOSED_SECONDS,
    ) -> None:
        self._settings = settings
        self._token_folder = token_folder
        self._stop_seconds = stop_seconds
        self._closed_seconds = closed_seconds
        self._folder = (settings.folder or Path.cwd()).expanduser().absolute()
        self._log = ProcessLog()
        self._command: list[str] = []
        self._login = Login("password")
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    def require_folder(self) -> None:
        """Check the work folder: Jupyter itself finds it missing only after seconds.

        Raises:
            StartError: It is missing or cannot be read; with what to do.
        """
        folder = self._folder
        if not folder.exists():
            remedy = f"Make it (mkdir -p {quote(str(folder))}), or name another with jupyter.folder"
            raise StartError(f"Work folder {folder} does not exist. {remedy}.")
        if not folder.is_dir():
            raise StartError(f"{folder} is not a folder. Name one with jupyter.folder.")
        if not os.access(folder, os.R_OK | os.X_OK):
            remedy = "Change its permissions, or name another with jupyter.folder"
            raise StartError(f"Work folder {folder} cannot be read. {remedy}.")

    async def launch(self) -> Launched:
        program = jupyter_program()
        if not self._settings.password:
            self._login = Login("token", login_token(self._token_folder))
        await end_leftover(self._token_folder, self._closed_seconds, KERNELS_END_SECONDS)
        if self._settings.port:
            require_free_port(self._settings.port)
        self._port = self._settings.port or default_or_free_port()
        self._command = [*program, *arguments(self._port, self._folder)]
        await self._start()
        return self._launched_now()

    def _launched_now(self) -> Launched:
        return Launched(
            UpstreamAddress(LOOPBACK, self._port),
            self._login,
            f"process {self._running.pid} (jupyter lab, folder {self._folder})",
            f"process {self._running.pid}",
            f"{self._folder}, a folder of your own; settings in your home folder",
        )

    async def wait_for_exit(self) -> JupyterExit:
        process = self._running
        hung = not await self._exits(process)
        if hung:
            await _kill(process)
        exit_code = await process.wait()
        await self._read_final_output()
        lines = self._log.last(MAX_JUDGED_LINES)
        why = hung_exit(lines) if hung else process_exit(exit_code, lines)
        return JupyterExit(
            exit_code, f"the process {why.description}", await self.last_lines(), why.cause
        )

    async def _exits(self, process: asyncio.subprocess.Process) -> bool:
        """Wait until it has exited; False if it hangs, with its port closed."""
        exited = spawn(process.wait(), "jupyter: exit of the process")
        closed = spawn(
            wait_until_closed(
                LOOPBACK,
                self._port,
                was_open=lambda: is_ending(self._log.last(MAX_JUDGED_LINES)),
                closed_seconds=self._closed_seconds,
                interval_seconds=min(WATCH_INTERVAL_SECONDS, self._closed_seconds),
            ),
            "jupyter: port of the process",
        )
        try:
            await asyncio.wait({exited, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                closed.result()  # a fault of the watch does not mean that it hangs
                await self._wait_for_kernels(process, exited)
            return exited.done()
        finally:
            exited.cancel()
            closed.cancel()

    async def _wait_for_kernels(
        self, process: asyncio.subprocess.Process, exited: asyncio.Task[int]
    ) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + KERNELS_END_SECONDS
        while not exited.done() and process_tree.has_descendants(process.pid):
            if loop.time() > until:
                return
            await asyncio.wait({exited}, timeout=WATCH_INTERVAL_SECONDS)

    async def relaunch(self) -> Launched:
        await self.stop()
        require_free_port(self._port)
        await self._start()
        return self._launched_now()

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        return self._log.last(count)

    def follow_log(self, count: int) -> AsyncIterator[str]:
        return self._log.follow(count)

    async def condition(self) -> str:
        if self._process is None:
            return ""
        ended = self._process.returncode
        return "running" if ended is None else f"exited with {ended}"

    async def leave(self) -> None:
        # Its output is read here, and systemd would end it with the service.
        await self.stop()

    async def stop(self) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            # Not SIGINT: Jupyter then asks for confirmation.
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(self._stop_seconds):
                    await process.wait()
            except TimeoutError:
                await _kill(process)
                said = "Jupyter did not stop within %g s and was killed (process %d)."
                log.warning(said, self._stop_seconds, process.pid)
            except asyncio.CancelledError:
                _kill_all(process)  # nobody else waits for its exit
                raise
        await self._read_final_output()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("launch() comes first")
        return self._process

    async def _start(self) -> None:
        self.require_folder()
        private = write_configuration(self._token_folder, self._login, self._settings.password)
        self._log.begin()
        # Our own pipe: with asyncio's, the exit is reported only when the pipe is closed, and
        # kernels that inherit it may keep it open.
        reading, writing = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", exec_wrapper.__file__, str(os.getpid())),
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C in the terminal must reach labgate only, which then stops Jupyter.
                start_new_session=True,
                cwd=private,  # Python files in the work folder must not be imported
                env=environment(private),
            )
        except OSError as error:
            os.close(reading)
            raise StartError(
                f"{self._command[0]} cannot be started: {error.strerror}. "
                f"Install Jupyter anew: {INSTALL_COMMAND}."
            ) from None
        finally:
            os.close(writing)
        remember_process(self._token_folder, self._process.pid)
        self._reading = spawn(self._read(reading), "jupyter: log")

    async def _read(self, descriptor: int) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
        )
        pending = b""
        add_line = self._log.add
        try:
            while chunk := await reader.read(65536):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    add_line(line)
                if len(pending) > 65536:  # a progress bar without line ends
                    pending = pending[-65536:]
        finally:
            if pending:
                add_line(pending)
            transport.close()
            self._log.end()

    async def _read_final_output(self) -> None:
        """Read the output before the exit, without waiting for kernels to close the pipe."""
        reading = self._reading
        if reading is None:
            return
        await asyncio.wait({reading}, timeout=FINAL_OUTPUT_SECONDS)
        if not reading.done():
            reading.cancel()
            await asyncio.wait({reading})


async def _kill(process: asyncio.subprocess.Process) -> None:
    _kill_all(process)
    await process.wait()


def _kill_all(process: asyncio.subprocess.Process) -> None:
    processes = process_tree.descendants(process.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process_tree.kill(processes)
