"""That the benchmark works, with labgate alone and hardly any load; its figures mean nothing."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from proxy import __version__
from tests.bench import results, table
from tests.bench.__main__ import main
from tests.bench.frames import client_frame, server_frame
from tests.bench.machine import Quiet
from tests.bench.measures import FULL, MEASURES, Measure, Outcome
from tests.bench.measures.cpu import CPU, RATE, CpuPerRequest
from tests.bench.measures.inspector import COST, InspectorOn
from tests.bench.measures.round_trip import WebSocketRoundTrip
from tests.bench.peers import Labgate
from tests.bench.process import Program
from tests.bench.run import run
from tests.bench.samples import Samples
from tests.bench.targets import TARGETS
from tests.e2e.programs import until

TINY = replace(
    FULL,
    repetitions=1,
    seconds=0.3,
    warm_seconds=0.1,
    round_trips=20,
    body_bytes=2**22,
    message_bytes=2**21,
    sockets=10,
    tls_connections=10,
)


def measured(*measures: Measure) -> Samples:
    cores = os.sched_getaffinity(0)
    samples = run(measures, [Labgate()], TINY, lambda _: None)
    assert os.sched_getaffinity(0) == cores
    assert samples.remarks == []
    return samples


@pytest.mark.deployment
def test_requests_and_websockets_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel counts by hundredths of a second, which so little load need not take.
    weighed = count(1.0)
    monkeypatch.setattr(Program, "cpu_seconds", lambda _: next(weighed))
    samples = measured(CpuPerRequest(), WebSocketRoundTrip())
    for figure in (*CpuPerRequest.figures, *WebSocketRoundTrip.figures):
        (value,) = samples.values(figure.name, "labgate")
        assert value > 0, figure.name


BUSY = """
import subprocess, sys, time

role = sys.argv[1]
if role == "parent":
    subprocess.run([sys.executable, __file__, "gone"], check=True, stdout=subprocess.DEVNULL)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, __file__, "stays"], **pipes)
    child.stdout.read(1)
while time.process_time() < 0.1:
    pass
print("!", flush=True)
if role == "parent":
    time.sleep(600)
elif role == "stays":
    sys.stdin.read()
"""


def test_all_processes_of_a_program_are_weighed(tmp_path: Path) -> None:
    """Itself, a child and one that is gone: each says that it took a tenth of a second."""
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    command = [sys.executable, str(script), "parent"]
    program = Program(command, os.sched_getaffinity(0), tmp_path / "output")
    try:
        until(lambda: program.ended or "!" in program.log, "it is not done")
        assert not program.ended, program.log
        # The kernel counts whole hundredths, user and system time of each apart.
        assert program.cpu_seconds() > 3 * 0.1 - 6 * 0.01
    finally:
        program.stop()


def test_without_wrk_the_own_client_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    samples = measured(CpuPerRequest())
    assert samples.values(RATE.name, "labgate")[0] > 0


@pytest.mark.deployment
def test_what_the_inspector_costs_is_measured() -> None:
    samples = measured(InspectorOn())
    assert samples.values(COST.name, "labgate")[0] > 0


@pytest.mark.deployment
def test_large_things_are_measured() -> None:
    names = {"websocket-messages", "download", "upload", "idle-websockets", "tls-connections"}
    samples = measured(*(measure for measure in MEASURES if measure.name in names))
    assert samples.values("sessions resumed of those offered", "labgate") == [100.0]


def test_a_target_compares_within_a_repetition() -> None:
    samples = Samples(["labgate", "nginx"])
    for ours, theirs in ((80.0, 100.0), (160.0, 200.0), (30.0, 50.0)):
        for peer, value in (("labgate", ours), ("nginx", theirs)):
            outcome = Outcome({CPU.name: value, RATE.name: 1e6 / value}, load_bound=True)
            samples.add(CpuPerRequest(), peer, outcome)
    assert samples.ratio(CPU.name, "labgate", "nginx") == 0.8
    assert samples.median(CPU.name, "labgate") == 80.0
    assert table.target_rows(samples) == [[CPU.name, "≤ 0.8 x nginx", "0.80 x", "met"]]
    assert table.figure_rows(samples)[0][1] == "80.0 (30.0 to 160)"
    assert table.figure_rows(samples)[1][1].endswith("ᴸ"), "the clock is marked, CPU time is not"


def test_every_target_is_about_something_measured() -> None:
    figures = {figure.name for measure in MEASURES for figure in measure.figures}
    assert {target.figure.name for target in TARGETS} <= figures


def test_the_results_say_where_and_how_quietly(tmp_path: Path) -> None:
    report = results.PROXIES._replace(file=tmp_path / "RESULTS.md")
    samples = Samples(["labgate"])
    samples.add(CpuPerRequest(), "labgate", Outcome({CPU.name: 70.0, RATE.name: 9000.0}))
    quiet = Quiet(0.1, 2.0, 0.015, 0.0)
    samples.remarks.append(f"requests: chp failed: {tmp_path}/chp/log says nothing of http://a/b")
    command = f"make bench ARGS='--also {tmp_path}/older'"
    results.write(samples, [Labgate()], quiet, command, ", labgate at abc", report)
    written = (tmp_path / "RESULTS.md").read_text()
    assert str(tmp_path) not in written
    assert sys.prefix not in written
    assert "`make bench ARGS='--also …/older'`" in written
    assert "chp failed: …/log says nothing of http://a/b" in written
    assert f"labgate {__version__}" in written
    assert "other processes used 1.5% of the cores" in written
    assert "labgate at abc, in one run" in written
    assert f"| {CPU.name}, µs | 70.0 (70.0 to 70.0) |" in written


def test_what_was_written_by_hand_outlives_a_run(tmp_path: Path) -> None:
    report = results.PROXIES._replace(file=tmp_path / "PAGE.md")
    samples = Samples(["labgate"])
    samples.add(CpuPerRequest(), "labgate", Outcome({CPU.name: 70.0, RATE.name: 9000.0}))

    def write() -> str:
        results.write(samples, [Labgate()], Quiet(0.1, 2.0, 0.015, 0.0), "make bench", "", report)
        return report.file.read_text("utf-8")

    assert results.BY_HAND not in write()
    own = f"\n{results.BY_HAND}\n\nThrough a line of 40 ms: 2.9 s.\n\n### Handshakes\n\nTwo.\n"
    report.file.write_text(f"# labgate\n\nOf a former run.\n{own}", "utf-8")
    for _ in range(2):
        written = write()
        assert written.endswith(own)
        assert written.count(results.BY_HAND) == 1
        assert "a former run" not in written


def test_the_published_results_name_no_folder_of_a_machine() -> None:
    text = results.FILE.read_text("utf-8")
    assert results.placeless(text) == text
    assert not re.search(r"/(tmp|home|root|opt|usr|work|Users)\b", text)


def test_the_error_for_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="There is no measure latenz: choose of cpu-per-request"):
        main(["latenz"])
    with pytest.raises(SystemExit, match="There is no peer apache: choose of labgate"):
        main(["--peers", "apache"])


@pytest.mark.parametrize(("size", "head"), [(125, 2), (200, 4), (2**16, 10)])
def test_frames_have_the_length_they_say(size: int, head: int) -> None:
    assert len(server_frame(size)) == head + size
    assert len(client_frame(size)) == head + 4 + size
