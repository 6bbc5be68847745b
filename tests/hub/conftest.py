"""Both proxies: labgate's, and the real configurable-http-proxy from npm."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import require
from tests.hub.running import LABGATE

CHP_VERSION = "5.3.0"
NPM_INSTALL = ("npm", "install", "--no-audit", "--no-fund", "--prefix")


@pytest.fixture(scope="session")
def chp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, installed into a folder of the test's own."""
    require(shutil.which("npm"), "no npm", "apt-get install npm")
    folder = tmp_path_factory.mktemp("chp")
    installing = subprocess.run(
        [*NPM_INSTALL, folder, f"configurable-http-proxy@{CHP_VERSION}"],
        capture_output=True,
        check=False,
        timeout=300,
    )
    require(installing.returncode == 0, "configurable-http-proxy cannot be had", "npm install it")
    return folder / "node_modules" / ".bin" / "configurable-http-proxy"


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
