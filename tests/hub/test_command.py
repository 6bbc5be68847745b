"""``labgate hub`` as a process: signals, what it says, and its exit codes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

from tests.e2e.programs import until
from tests.hub.running import LABGATE, RawWebSocket, as_process, ask, echo_target, unused_port


def test_sigint_ends_it_and_a_second_signal_ends_the_wait() -> None:
    with echo_target() as target, as_process(LABGATE) as proxy:
        proxy.api("POST", "/x", {"target": target})
        opened = RawWebSocket(proxy.port, "/x")
        assert proxy.stop(signal.SIGINT) == 0
        assert opened.end() == b""
        opened.close()


def test_without_a_token_one_is_made_and_kept_in_a_file(tmp_path: Path) -> None:
    port, api_port = unused_port(), unused_port()
    environment = {name: value for name, value in os.environ.items() if "CONFIGPROXY" not in name}
    command = [*LABGATE, "--ip", "127.0.0.1", f"--port={port}", f"--api-port={api_port}"]
    with subprocess.Popen(
        [*command, "--api-ip", "0.0.0.0", "--ssl-ciphers", "x"],
        env={**environment, "LABGATE_STATE__FOLDER": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            said = ""
            while "The API is at" not in said and process.poll() is None:
                said += process.stderr.readline()
            file = tmp_path / "hub.token"
            assert file.stat().st_mode & 0o777 == 0o600
            token = file.read_text().strip()
            fields = {"Authorization": f"token {token}"}
            assert ask(api_port, "GET", "/api/routes", fields=fields).status == 200
            assert ask(api_port, "GET", "/api/routes").status == 403
        finally:
            process.terminate()
        said += process.stderr.read()
    assert f"the API's token is the content of {file}" in said
    assert token not in said
    assert "the API listens on loopback only" in said
    assert "--ssl-ciphers has no effect" in said
    assert re.search(r"Proxying http://127\.0\.0\.1:\d+ to \(no default target\)", said)


def test_what_cannot_be_ends_with_a_sentence(tmp_path: Path) -> None:
    wrong = [
        (["--storage", str(tmp_path)], 1, "--storage"),
        (["--storage", "/proc/routes"], 1, "a file of its own with --storage"),
        (["--no-such-flag"], 2, "--no-such-flag"),
        (["--pid-file", str(tmp_path)], 1, "--pid-file"),
    ]
    for flags, code, reason in wrong:
        ports = ["--ip", "127.0.0.1", f"--port={unused_port()}", f"--api-port={unused_port()}"]
        ended = subprocess.run(
            [*LABGATE, *ports, *flags], capture_output=True, text=True, check=False, timeout=60
        )
        assert ended.returncode == code, ended.stderr
        assert reason in ended.stderr
        assert "Traceback" not in ended.stderr


def test_a_second_one_leaves_the_files_of_the_first_alone(tmp_path: Path) -> None:
    storage, pid = tmp_path / "routes", tmp_path / "pid"
    files = ["--storage", str(storage), "--pid-file", str(pid)]
    with as_process(LABGATE, *files) as first:
        assert first.process is not None
        until(pid.exists, "no pid file")
        first.api("POST", "/x", {"target": "http://h:1"})
        before = storage.read_bytes()
        reasons = [
            ([*files, f"--port={unused_port()}"], f"process {first.process.pid}"),
            (["--pid-file", str(pid), f"--port={first.port}"], "--port"),
        ]
        for flags, reason in reasons:
            ports = ["--ip=127.0.0.1", f"--api-port={unused_port()}"]
            ended = subprocess.run(
                [*LABGATE, *ports, *flags], capture_output=True, text=True, check=False, timeout=60
            )
            assert ended.returncode == 1, ended.stderr
            assert reason in ended.stderr
            assert storage.read_bytes() == before
            assert pid.read_text() == str(first.process.pid)
        pid.write_text("another's")
        assert first.stop() == 0
    assert pid.read_text() == "another's"
    with as_process(LABGATE, "--storage", str(storage)) as again:
        assert list(again.api("GET").json) == ["/x"]
