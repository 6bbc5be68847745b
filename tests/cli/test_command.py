"""What ``serve`` loads before its first answer: nothing that only other commands need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from tests.e2e.programs import free_port

ROOT = Path(__file__).parent.parent.parent

NOT_NEEDED = {
    "acme": "certificates of an ACME CA",
    "aiodocker": "launching Jupyter",
    "aiohttp": "the Docker Engine",
    "argon2": "Jupyter's passwords",
    "josepy": "certificates of an ACME CA",
    "passlib": "htpasswd",
    "requests": "certificates of an ACME CA",
    "rich": "tables and progress bars",
    "trustme": "the development CA",
}
"""Distributions' modules, and what each is for."""


def loaded(folder: Path, *arguments: str) -> set[str]:
    """Every module that ``serve`` has loaded by the time it is ready."""
    (folder / "labgate.toml").write_text("")
    command = [sys.executable, "-X", "importtime", "-m", "proxy", "serve"]
    command += ["--config", str(folder / "labgate.toml"), "--upstream", "http://127.0.0.1:9"]
    command += [
        "--bind",
        "127.0.0.1",
        "--https-port",
        str(free_port()),
        "--http-port",
        "0",
        *arguments,
    ]
    modules, output = set(), []
    environment = {"XDG_STATE_HOME": str(folder), "HOME": str(folder)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("import time:"):
                modules.add(line.rpartition("|")[2].strip())
            else:
                output.append(line)
            if " INFO ready: " in line:
                break
        running.terminate()
        running.stderr.read()
    assert running.returncode == 0, "".join(output)
    return modules


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("start")
    leaf = trustme.CA().issue_cert("localhost")
    cert, key = folder / "chain.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(cert)
    leaf.private_key_pem.write_to_path(key)
    return loaded(folder, "--cert", str(cert), "--key", str(key))


@pytest.mark.parametrize("name", NOT_NEEDED)
def test_serve_does_not_load(name: str, modules: set[str]) -> None:
    assert "proxy.http1.server" in modules
    assert name not in modules, f"it is for {NOT_NEEDED[name]}"
