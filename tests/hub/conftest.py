"""Both proxies: labgate's, and the real configurable-http-proxy from npm."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import require
from tests.hub.running import LABGATE, RunningProxy, echo_target, running

CHP_VERSION = "5.3.0"
NODE = 20
INSTALL_NODE = "Debian 12 has an older one: get it from PyPI as install_tools of .ci/run does"
NPM_INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--prefix")


@pytest.fixture(scope="session")
def chp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed into a folder of the test's own."""
    require(
        shutil.which("npm") and node_version() >= NODE, f"no node {NODE} with npm", INSTALL_NODE
    )
    folder = tmp_path_factory.mktemp("chp")
    installing = subprocess.run(
        [*NPM_INSTALL, folder, f"configurable-http-proxy@{CHP_VERSION}"],
        capture_output=True,
        check=False,
        timeout=300,
    )
    require(installing.returncode == 0, "configurable-http-proxy cannot be had", "npm install it")
    return folder / "node_modules" / ".bin" / "configurable-http-proxy"


def node_version() -> int:
    """The number before the first dot; 0 if there is none."""
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(said.stdout.removeprefix("v").partition(".")[0])


@pytest.fixture(
    scope="module",
    params=[
        "labgate",
        pytest.param("chp", marks=[pytest.mark.deployment, pytest.mark.xdist_group("chp")]),
    ],
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def command(kind: str, request: pytest.FixtureRequest) -> Sequence[str]:
    """How to start the proxy that is tested."""
    if kind == "labgate":
        return LABGATE
    return [str(request.getfixturevalue("chp"))]


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    """A target that answers with what it was asked."""
    with echo_target() as url:
        yield url


@pytest.fixture(scope="module")
def shared(command: Sequence[str], target: str) -> Iterator[RunningProxy]:
    """A proxy with an error target, which a test leaves without routes."""
    with running(command, "--error-target", f"{target}/hub/error") as proxy:
        yield proxy


@pytest.fixture
def proxy(shared: RunningProxy) -> Iterator[RunningProxy]:
    """The same without routes."""
    yield shared
    for path in shared.api("GET").json:
        shared.api("DELETE", path)
