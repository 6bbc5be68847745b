"""Clients that are no browsers run code through labgate; `.github/CLIENTS.md` says how.

Each comes from its registry into a folder of the test's own. It trusts labgate's development CA by
the variable that its language has for that.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.conftest import require
from tests.e2e.programs import TOKEN, Jupyter, Labgate
from tests.passwords import write_htpasswd

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

CLIENTS = Path(__file__).parent / "clients"
KERNEL_CLIENT, MCP_SERVER = "jupyter-kernel-client==1.0.2", "jupyter-mcp-server==2.2.4"
NODE_PACKAGE = "@jupyterlab/services@7.6.6"
CA_VARIABLES = (
    *("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"),
    *("WEBSOCKET_CLIENT_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
)
INSTALL_SECONDS = 240
RUN_SECONDS = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def jupyter(folder: Path) -> Iterator[Jupyter]:
    with Jupyter(folder) as running:
        yield running


@pytest.fixture(scope="module")
def labgate(folder: Path, jupyter: Jupyter) -> Iterator[Labgate]:
    with Labgate(folder, "serve", "--upstream", jupyter.upstream) as running:
        yield running


def python_with(package: str, folder: Path) -> Path:
    """A Python that has a client."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin/pip"), "install", "-q", package]
    installed = subprocess.run(pip, check=False, timeout=INSTALL_SECONDS).returncode == 0
    require(installed, f"no {package}", "pip must reach a package index")
    return folder / "bin/python"


@pytest.fixture(scope="module")
def node(folder: Path) -> Path:
    """A folder with the client of Node's."""
    npm = shutil.which("npm")
    require(npm, "no npm", "apt-get install npm")
    place = folder / "node"
    place.mkdir()
    install = [str(npm), "install", "--silent", "--no-fund", "--no-audit", NODE_PACKAGE]
    ran = subprocess.run(install, cwd=place, check=False, timeout=INSTALL_SECONDS)
    require(ran.returncode == 0, f"no {NODE_PACKAGE}", "npm must reach a registry")
    shutil.copy(CLIENTS / "services.js", place)
    return place


def said(labgate: Labgate, *command: str | Path, place: Path | None = None) -> str:
    """The last line that a client printed."""
    trusting = dict.fromkeys(CA_VARIABLES, str(labgate.authority))
    ran = subprocess.run(
        [*command, labgate.origin, TOKEN],
        cwd=place,
        env={**os.environ, **trusting},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr + labgate.log[-2000:]
    return next(line for line in reversed(ran.stdout.splitlines()) if line == "42")


@pytest.mark.deployment
def test_kernel_client(folder: Path, labgate: Labgate) -> None:
    python = python_with(KERNEL_CLIENT, folder / "kernel-client")
    assert said(labgate, python, CLIENTS / "kernel.py") == "42"


@pytest.mark.slow
def test_agent(folder: Path, labgate: Labgate) -> None:
    """Not one of the deployment tests: to install its server takes minutes."""
    python = python_with(MCP_SERVER, folder / "agent")
    assert said(labgate, python, CLIENTS / "agent.py") == "42"


@pytest.mark.deployment
def test_node(node: Path, labgate: Labgate) -> None:
    assert said(labgate, "node", "services.js", place=node) == "42"


@pytest.mark.deployment
def test_a_script_with_labgates_password_and_jupyters_token(
    tmp_path: Path, jupyter: Jupyter
) -> None:
    """Authorization is labgate's there, so the token is in the query."""
    users = write_htpasswd(tmp_path)
    arguments = ("--upstream", jupyter.upstream, "--htpasswd", str(users))
    with Labgate(tmp_path, "serve", *arguments) as labgate:
        basic = "Basic " + base64.b64encode(b"ada:sesame").decode()
        made = labgate.ask("POST", f"/api/kernels?token={TOKEN}", b"{}", Authorization=basic)
        assert made.status == 201, made.body
        kernel = made.json()["id"]
        with connect(
            f"wss://localhost:{labgate.https_port}/api/kernels/{kernel}/channels?token={TOKEN}",
            additional_headers={"Authorization": basic},
            ssl=labgate.trusting,
        ) as channels:
            header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "version": "5"}
            content = {"code": "6 * 7", "silent": False}
            message = {"header": {**header, "username": ""}, "content": content}
            empty = {"parent_header": {}, "metadata": {}, "channel": "shell", "buffers": []}
            channels.send(json.dumps({**message, **empty}))
            answer = ""
            while "42" not in answer:
                received = json.loads(channels.recv(timeout=60))
                answer = str(received.get("content", {}).get("data", ""))
        assert labgate.ask("DELETE", f"/api/kernels/{kernel}?token={TOKEN}", Authorization=basic)


@pytest.mark.deployment
def test_who_is_not_logged_in(tmp_path: Path, jupyter: Jupyter, labgate: Labgate) -> None:
    """A call gets a status, a person who opens a page the way to log in."""
    page = {"Accept": "text/html", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    call = {"Accept": "application/json", "Sec_Fetch_Mode": "cors", "Sec_Fetch_Dest": "empty"}
    stale = {"Cookie": f"username-127-0-0-1-{jupyter.port}=expired"}
    opened = labgate.ask("GET", "/lab", **page, **stale)
    assert opened.status == 302
    assert opened.fields["Location"].startswith("/login?next=%2Flab")
    # Jupyter's own status for a call without a login.
    assert labgate.ask("GET", "/api/kernels", **call, **stale).status == 403
    users = write_htpasswd(tmp_path)
    arguments = ("--upstream", jupyter.upstream, "--htpasswd", str(users))
    with Labgate(tmp_path, "serve", *arguments) as guarded:
        for kind, content_type in ((page, "text/html"), (call, "application/json")):
            refused = guarded.ask("GET", "/api/kernels", **kind, Cookie="__Host-labgate=expired")
            assert refused.status == 401
            assert refused.fields["WWW-Authenticate"].startswith("Basic ")
            assert refused.fields["Content-Type"].startswith(content_type)
