"""The commands that speak with a running labgate: status, logs, open, unlock, stop."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.programs import ROOT, TOKEN, Jupyter, Labgate, until
from tests.e2e.test_reload import jupyter as no_jupyter
from tests.e2e.test_websocket import dial

FAILURES = 3
LOCKOUT = {"LABGATE_ACCESS__LOGIN_FAILURES": str(FAILURES)}


def run(labgate: Labgate, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with labgate's state folder."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LABGATE_", "XDG_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "proxy", *words],
        cwd=ROOT,
        env=environment | labgate.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def status(labgate: Labgate) -> dict[str, Any]:
    ran = run(labgate, "status", "--json")
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def lock_out(labgate: Labgate) -> None:
    """Try wrong tokens until this machine's address is locked out."""
    for number in range(20):
        if labgate.ask("GET", f"/api/status?token=wrong{number}").status == 429:
            return
    raise AssertionError(labgate.log)


def status_by_address(labgate: Labgate) -> set[int]:
    """What a right token gets, by each of this machine's own addresses that labgate listens on."""
    found, trusting = set(), labgate.trusting
    trusting.check_hostname = False  # the certificate is for localhost
    for listening in status(labgate)["listening"]:
        host, _, port = listening.rpartition(":")
        if int(port) != labgate.https_port:
            continue
        connection = http.client.HTTPSConnection(
            host.strip("[]"), labgate.https_port, timeout=60, context=trusting
        )
        try:
            connection.connect()
        except OSError:
            continue  # a machine without IPv6
        public = {"Host": labgate.origin.removeprefix("https://")}
        connection.request("GET", f"/api/status?token={TOKEN}", headers=public)
        found.add(connection.getresponse().status)
        connection.close()
    return found


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    with Jupyter(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@contextmanager
def serving(folder: Path, jupyter: Jupyter, *arguments: str) -> Iterator[Labgate]:
    words = ("serve", "--upstream", jupyter.upstream, *arguments)
    with Labgate(folder, *words, environment=LOCKOUT) as labgate:
        yield labgate


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
@pytest.mark.parametrize("workers", [1, 2])
def test_what_runs(tmp_path: Path, jupyter: Jupyter, workers: int) -> None:
    with serving(tmp_path, jupyter, "--workers", str(workers)) as labgate:
        with dial(labgate, f"/api/events/subscribe?token={TOKEN}"):
            now = status(labgate)
            assert now["schema"] == 1
            assert now["pid"] == labgate.pid
            assert now["command"] == "serve"
            assert now["addresses"] == [labgate.origin]
            assert f"127.0.0.1:{labgate.https_port}" in now["listening"]
            assert now["jupyter"]["address"] == jupyter.upstream
            assert now["jupyter"]["state"] == "answers"
            assert now["websockets"] == 1
            assert [one["source"] for one in now["certificates"]] == ["development"]
            assert now["certificates"][0]["days_left"] > 0
            roles = [process["role"] for process in now["processes"]]
            assert roles == (["main"] if workers == 1 else ["supervisor", "worker", "worker"])
            assert all(process["memory_bytes"] > 10_000_000 for process in now["processes"])
            assert now["memory_bytes"] == sum(one["memory_bytes"] for one in now["processes"])
        facts = run(labgate, "status").stdout.splitlines()
        assert "jupyter.state answers" in facts
        assert f"pid {labgate.pid}" in facts


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
@pytest.mark.parametrize("workers", [2, pytest.param(1, marks=pytest.mark.deployment)])
def test_a_lockout_is_lifted_in_all_workers(tmp_path: Path, jupyter: Jupyter, workers: int) -> None:
    with serving(tmp_path, jupyter, "--workers", str(workers)) as labgate:
        lock_out(labgate)
        (lockout,) = status(labgate)["lockouts"]
        address = lockout["address"]
        assert address == "127.0.0.1"
        assert status_by_address(labgate) == {429}, "this machine is one client, also as ::1"
        assert 0 < lockout["seconds_left"] <= 900
        # A worker reports its lines now and then.
        until(
            lambda: any("lockout" in one["text"] for one in status(labgate)["problems"]),
            "no problem says who is shut out",
        )
        ran = run(labgate, "unlock", address)
        assert (ran.returncode, ran.stdout) == (0, f"{address} may log in again.\n"), ran.stderr
        assert status(labgate)["lockouts"] == []
        for _ in range(4):  # every worker
            assert labgate.ask("GET", f"/api/status?token={TOKEN}").status == 200
        again = run(labgate, "unlock", address)
        assert again.returncode == 1
        assert f"{address} is not locked out" in again.stderr
        wrong = run(labgate, "unlock", "nonsense")
        assert wrong.returncode == 1
        assert "'nonsense' is no IP address" in wrong.stderr


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_a_jupyter_that_does_not_answer(tmp_path: Path) -> None:
    folder = tmp_path / "jupyter"
    folder.mkdir()
    with Jupyter(folder) as jupyter, serving(tmp_path, jupyter) as labgate:
        jupyter.running.send_signal(signal.SIGSTOP)
        assert status(labgate)["jupyter"]["state"] == "does not answer"
        jupyter.running.send_signal(signal.SIGCONT)
        until(lambda: status(labgate)["jupyter"]["state"] == "answers", "it answers again")


def test_why_jupyter_does_not_answer(tmp_path: Path) -> None:
    upstream = f"unix:{tmp_path}/none.sock"
    with Labgate(tmp_path, "serve", "--upstream", upstream) as labgate:
        known = status(labgate)["jupyter"]
    assert (known["state"], known["reason"]) == ("does not answer", "No such file or directory")


def test_why_what_answers_is_not_jupyter(tmp_path: Path) -> None:
    with (
        no_jupyter("404 page") as other,
        Labgate(tmp_path, "serve", "--upstream", f"{other}/lab-of-ada") as labgate,
    ):
        known = status(labgate)["jupyter"]
    assert (
        known["reason"] == "what answers is no Jupyter, or has another base_url than /lab-of-ada/"
    )


def test_where_there_are_only_routes(tmp_path: Path) -> None:
    with no_jupyter("404 page") as other:
        file = tmp_path / "labgate.toml"
        labgate = Labgate(tmp_path, "serve", "--config", str(file))
        domains = f'domains = ["localhost:{labgate.https_port}"]'
        file.write_text(
            f'[[routes]]\n{domains}\npath = "/lab"\nupstream = "{other}"\n'
            f'[[routes]]\n{domains}\npath = "/any"\nstrip_prefix = true\nupstream = "{other}"\n'
        )
        with labgate:
            routes = status(labgate)["routes"]
            assert [route["state"] for route in routes] == ["does not answer", "answers"]
            assert routes[0]["reason"] == (
                "it is no Jupyter, or has another base_url than /lab/: start it with "
                "--ServerApp.base_url=/lab/, or correct [[routes]] #1 upstream"
            )
            assert routes[1]["reason"] == ""
            stopped = run(labgate, "stop")
            pid = labgate.pid
    assert stopped.stdout == f"labgate (process {pid}) has stopped; the Jupyters go on.\n"


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_somebody_elses_jupyter_has_no_log_here(tmp_path: Path, jupyter: Jupyter) -> None:
    with serving(tmp_path, jupyter) as labgate:
        ran = run(labgate, "logs")
        assert ran.returncode == 1
        assert f"labgate did not launch the Jupyter at {jupyter.upstream}" in ran.stderr
        stopped = run(labgate, "stop")
        assert stopped.returncode == 0, stopped.stderr
        assert f"; Jupyter at {jupyter.upstream} goes on" in stopped.stdout
        assert labgate.running.wait(10) == 0
        assert jupyter.running.poll() is None


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_up_with_a_process(tmp_path: Path) -> None:
    with Labgate(tmp_path, "up", "--launch", "process") as labgate:
        now = status(labgate)
        assert now["command"] == "up"
        assert now["jupyter"]["description"].startswith("process ")
        # Said before anything else that is wrong.
        second = run(labgate, "up", "--launch", "process", "--cert", "/none", "--key", "/none")
        assert second.returncode == 1
        assert f"Already running as process {labgate.pid}" in second.stderr
        log = run(labgate, "logs", "-n", "1000")
        assert log.returncode == 0, log.stderr
        assert "is running at" in log.stdout
        assert len(run(labgate, "logs", "-n", "1").stdout.splitlines()) == 1
        is_opened_without_a_token(labgate, tmp_path)
        following = subprocess.Popen(
            [sys.executable, "-m", "proxy", "logs", "-f"],
            cwd=ROOT,
            env=os.environ | labgate.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        stopped = run(labgate, "stop")
        assert stopped.returncode == 0, stopped.stderr
        assert stopped.stdout == (
            f"labgate (process {labgate.pid}) has stopped, and so has its Jupyter.\n"
        )
        assert labgate.running.wait(10) == 0
        said, _ = following.communicate(timeout=30)
        assert "is running at" in said
        assert following.returncode == 0


def is_opened_without_a_token(labgate: Labgate, folder: Path) -> None:
    """Every user of the machine sees the browser's command line."""
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" >{folder}/opened\n')
    browser.chmod(0o755)
    labgate.environment["BROWSER"] = f"{browser} %s"
    with subprocess.Popen(
        [sys.executable, "-m", "proxy", "open"],
        cwd=ROOT,
        env=os.environ | labgate.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as opening:
        assert opening.stdout is not None
        said = opening.stdout.readline()
        address = (folder / "opened").read_text()
        page = Path(address.removeprefix("file://"))
        assert f'content="0; url={labgate.opens}"' in page.read_text()
        assert page.stat().st_mode & 0o777 == 0o600
        assert labgate.token not in said + address
        opening.send_signal(signal.SIGINT)
        opening.wait(30)
    assert not page.exists()


def test_none_runs(tmp_path: Path) -> None:
    labgate = Labgate(tmp_path, "serve")
    for words in (["status"], ["stop"], ["logs"], ["open"], ["unlock", "192.0.2.1"]):
        ran = run(labgate, *words)
        assert ran.returncode == 1
        assert "No labgate with the state folder" in ran.stderr
        assert "labgate up" in ran.stderr


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_one_that_was_killed(tmp_path: Path, jupyter: Jupyter) -> None:
    with serving(tmp_path, jupyter) as labgate:
        assert status(labgate)["pid"] == labgate.pid
        labgate.kill()
        ran = run(labgate, "status")
        assert ran.returncode == 1
        assert "was killed" in ran.stderr


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
def test_a_check_beside_it(tmp_path: Path, jupyter: Jupyter) -> None:
    with serving(tmp_path, jupyter) as labgate:
        ports = ["--https-port", str(labgate.https_port), "--http-port", str(labgate.http_port)]
        ran = run(labgate, "check", "--upstream", jupyter.upstream, *ports)
        assert ran.returncode == 0, ran.stdout
        for port in (labgate.https_port, labgate.http_port):
            assert f"127.0.0.1:{port} is in use by the running labgate." in ran.stdout
        assert f"Process {labgate.pid} runs with this state folder" in ran.stdout
        for elsewhere in ("check", "serve"):
            elsewhere_state = {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
            other = Labgate(tmp_path, "serve", environment=elsewhere_state)
            ran = run(other, elsewhere, "--upstream", jupyter.upstream, *ports)
            assert ran.returncode == 1
            said = f"127.0.0.1:{labgate.https_port} is taken by a labgate that runs already"
            assert said in ran.stdout + ran.stderr
        assert status(labgate)["jupyter"]["state"] == "answers"
