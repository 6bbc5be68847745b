"""Every peer in turn: a cold load, a second load and a notebook, on each line."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psutil
import requests
from playwright.sync_api import Browser
from playwright.sync_api import Error as PlaywrightError

from tests.bench.certificates import Certificate, make_certificate
from tests.bench.measures.measure import Measure, Outcome, Stage
from tests.bench.page import figures
from tests.bench.page.browser import Visit, chromium, log_in
from tests.bench.page.figures import LINES, Line
from tests.bench.peers import Peer
from tests.bench.process import Program, cpu_seconds_of
from tests.bench.recipes import free_port
from tests.bench.samples import Samples
from tests.e2e.programs import TOKEN, Jupyter, until

IDLE_SECONDS, IDLE_CPU_SECONDS = 6.0, 0.1
"""A proxy that took no more CPU in this time has done what it does once, after a first load."""
SETTLING_SECONDS = 240.0
"""At most: labgate compresses its files when nobody else wants the CPU."""


class PageLoad(Measure):
    """The figures of one line."""

    name = "page"

    def __init__(self, line: Line) -> None:
        own = (figures.COLD[line], figures.NOTEBOOK[line], figures.SECOND[line])
        shared = (figures.OCTETS, figures.REQUESTS, figures.CPU, figures.PROXY_CPU)
        self.figures = (*own, *(shared if line is figures.FAST else ()))

    def run(self, stage: Stage) -> Outcome:
        raise NotImplementedError("see Through")


class Through:
    """JupyterLab through one running proxy."""

    def __init__(
        self, peer: Peer, jupyter: Jupyter, certificate: Certificate, work: Path, browser: Browser
    ) -> None:
        self.peer = peer
        self._jupyter = jupyter
        self._browser = browser
        port = free_port()
        folder = work / peer.name.replace(":", "-")
        folder.mkdir()
        self.program = Program(
            peer.command(port, jupyter.port, certificate, folder),
            set(psutil.Process().cpu_affinity()),
            folder / "output",
            folder=peer.folder,
            environment=peer.environment(folder),
        )
        self._origin = f"https://localhost:{port}"
        until(self._log_in, f"{peer.name} does not answer")

    def _log_in(self) -> bool:
        """Whether it listens already; then somebody is logged in."""
        assert not self.program.ended, self.program.log
        try:
            self._cookies = log_in(self._browser, self._origin)
        except PlaywrightError as error:
            if "net::ERR" not in error.message:
                raise
            return False
        return True

    def warm(self, picture: Path) -> None:
        """Load once; ``picture`` shows the page."""
        visit = Visit(self._browser, self._origin, self._cookies, LINES[0])
        visit.load()
        visit.page.screenshot(path=picture)
        visit.open_notebook()
        visit.close()
        self._tidy_up()

    def settle(self, most_seconds: float) -> None:
        """Wait until the proxy does nothing any more, and does not wait for the CPU either."""
        deadline, used = time.monotonic() + most_seconds, self.program.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(IDLE_SECONDS)
            before, used = used, self.program.cpu_seconds()
            if used - before <= IDLE_CPU_SECONDS and not self.program.runnable():
                return

    def measure(self, line: Line) -> Outcome:
        """One person's visit."""
        visit = Visit(self._browser, self._origin, self._cookies, line)
        try:
            proxy, jupyter = self.program.cpu_seconds(), self._jupyter_seconds()
            cold = visit.load()
            proxy = self.program.cpu_seconds() - proxy
            jupyter = self._jupyter_seconds() - jupyter
            second = visit.load()
            notebook = visit.open_notebook()
        finally:
            visit.close()
            self._tidy_up()
        found = {
            figures.COLD[line].name: cold.seconds,
            figures.NOTEBOOK[line].name: notebook,
            figures.SECOND[line].name: second.seconds,
            figures.OCTETS.name: cold.octets / 1e6,
            figures.REQUESTS.name: float(cold.requests),
            figures.CPU.name: 1000 * (proxy + jupyter),
            figures.PROXY_CPU.name: 1000 * proxy,
        }
        return Outcome(found)

    def _tidy_up(self) -> None:
        """End the kernel and remove the notebook: the next visitor finds neither."""
        api = f"http://127.0.0.1:{self._jupyter.port}/api/sessions"
        headers = {"Authorization": f"token {TOKEN}"}
        for session in requests.get(api, headers=headers, timeout=30).json():
            requests.delete(f"{api}/{session['id']}", headers=headers, timeout=30)
        for notebook in self._jupyter.work.glob("*.ipynb"):
            notebook.unlink()

    def _jupyter_seconds(self) -> float:
        """CPU time of the server itself; kernels are the person's."""
        assert self._jupyter.process is not None
        return cpu_seconds_of(self._jupyter.process.pid)


def run(
    peers: Sequence[Peer],
    repetitions: int,
    tell: Callable[[str], None],
    pictures: Path,
    settling_seconds: float = SETTLING_SECONDS,
) -> Samples:
    """Measure; the peers interleaved, so that a drift of the machine meets all alike."""
    samples = Samples([peer.name for peer in peers])
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labgate-page-")))
        certificate = make_certificate(work)
        (work / "jupyter").mkdir()
        jupyter = stack.enter_context(Jupyter(work / "jupyter"))
        browser = stack.enter_context(chromium(certificate.chain))
        running: dict[str, Through] = {}
        for peer in peers:
            tell(f"{peer.name} for the first time")
            through = Through(peer, jupyter, certificate, work, browser)
            stack.callback(through.program.stop)
            picture = pictures / f"labgate-page-{peer.name.replace(':', '-')}.png"
            through.warm(picture)
            through.settle(settling_seconds)
            running[peer.name] = through
        for repetition in range(repetitions):
            for line in LINES:
                tell(f"{line.said}, {repetition + 1} of {repetitions}")
                turn = repetition % max(1, len(running))
                names = list(running)
                for name in [*names[turn:], *names[:turn]]:
                    try:
                        samples.add(PageLoad(line), name, running[name].measure(line))
                    except PlaywrightError as error:
                        said = error.message.partition("\n")[0]
                        samples.remarks.append(f"{line.said}: {name} failed: {said}")
                        del running[name]
    return samples
