"""Right servers, labgate, and Jupyter without any proxy: everything is tried, nothing is found."""

from __future__ import annotations

from pathlib import Path
from urllib.request import urlopen

import pytest

from proxy.admin.socket_path import socket_path
from proxy.config.password_hash import hash_passphrase
from proxy.doctor.examination import Credentials
from proxy.doctor.plan import PLAIN_HTTP
from tests.doctor.certificates import Certificates
from tests.doctor.configurations import RIGHT
from tests.doctor.conftest import Start
from tests.doctor.examinations import examined, identifiers
from tests.doctor.test_secrets import labgate_doctor
from tests.e2e.programs import PASSWORD, Jupyter, Labgate, until
from tests.e2e.test_status import status

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab", "nothing_stays"),
]


@pytest.mark.parametrize("server", [server for server in RIGHT if server != "nginx"])
async def test_nothing_is_found_at_a_right_one(
    server: str, start: Start, jupyter: Jupyter, certificates: Certificates
) -> None:
    running = start(RIGHT[server])
    report = await examined(
        running.url,
        certificates.authority,
        http_port=running.http_port,
        silence_seconds=1,
        upload_bytes=50_000_000,
    )
    assert report.findings == []
    assert report.server == server


async def test_nothing_is_found_at_labgate(jupyter: Jupyter, tmp_path: Path) -> None:
    with Labgate(tmp_path, "serve", "--upstream", jupyter.upstream) as labgate:
        report = await examined(
            labgate.origin,
            labgate.authority,
            http_port=labgate.http_port,
            silence_seconds=1,
            upload_bytes=50_000_000,
        )
        problems = status(labgate)["problems"]
    assert report.findings == []
    assert report.untried == {}
    assert problems == []


async def test_nothing_is_found_without_a_proxy(jupyter: Jupyter) -> None:
    report = await examined(jupyter.upstream, silence_seconds=1)
    assert report.findings == []
    assert report.untried["redirect"] == PLAIN_HTTP


class AdasJupyter(Jupyter):
    """A Jupyter with a base_url."""

    def ready(self) -> bool:
        try:
            with urlopen(f"{self.upstream}/user/ada/api") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


async def test_a_password_logs_in_and_a_base_url_is_no_fault(tmp_path: Path) -> None:
    hashed = hash_passphrase(PASSWORD)
    arguments = "--ServerApp.base_url=/user/ada"
    with AdasJupyter(tmp_path, arguments, hashed_password=hashed) as jupyter:
        url = f"{jupyter.upstream}/user/ada/lab"
        right = await examined(url, credentials=Credentials(password=PASSWORD))
        wrong = await examined(url, credentials=Credentials(password="wrong"))
        none = await examined(url, credentials=Credentials())
    assert right.findings == []
    assert "download" in right.passed
    assert identifiers(wrong) == ["login-refused"]
    assert none.findings == []
    assert "no password" in none.untried["login"]


class OpenJupyter(Jupyter):
    """A Jupyter that asks nobody for a login."""

    def command(self) -> list[str]:
        usual = [word for word in super().command() if not word.startswith("--IdentityProvider")]
        return [*usual, "--IdentityProvider.token="]


async def test_a_jupyter_without_a_login(tmp_path: Path) -> None:
    with OpenJupyter(tmp_path) as jupyter:
        report = await examined(jupyter.upstream, credentials=Credentials())
    assert report.findings == []
    assert "download" in report.passed


async def test_a_unix_socket_is_asked_as_well(tmp_path: Path) -> None:
    with Jupyter(tmp_path, sock=tmp_path / "jupyter.sock") as jupyter:
        report = await examined(jupyter.upstream)
    assert report.url == jupyter.upstream
    assert report.findings == []
    assert "download" in report.passed


async def test_without_an_address_the_labgate_that_runs_is_examined(tmp_path: Path) -> None:
    with Labgate(tmp_path, "up", "--launch", "process") as labgate:
        until(socket_path(tmp_path / "labgate").exists, "no admin socket")
        code, out = await labgate_doctor(XDG_STATE_HOME=str(tmp_path))
    assert code == 0, out
    assert f"the labgate that runs here serves {labgate.origin}" in out
    assert f"Nothing is wrong at {labgate.origin}/" in out
    assert labgate.token not in out
