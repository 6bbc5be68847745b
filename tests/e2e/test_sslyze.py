"""Mozilla's intermediate profile, judged by sslyze."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.conftest import OWN_PIP, require
from tests.e2e.programs import Labgate

SCAN_SECONDS = 180


def sslyze(server: str, authority: Path) -> subprocess.CompletedProcess[str]:
    """Scan ``host:port``, which ``authority`` (PEM) has issued the certificate of."""
    # It pins cryptography, so it lives in an environment of its own.
    program = os.environ.get("SSLYZE") or shutil.which("sslyze")
    require(program, "no sslyze", f"{OWN_PIP} install sslyze && export SSLYZE=/tmp/V/bin/sslyze")
    command = [str(program), "--mozilla_config=intermediate", f"--certinfo_ca_file={authority}"]
    return subprocess.run(
        [*command, server],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SCAN_SECONDS,
        check=False,
    )


def test_the_intermediate_profile(tmp_path: Path) -> None:
    with Labgate(tmp_path, "serve", "--upstream", "http://127.0.0.1:9") as labgate:
        scan = sslyze(f"localhost:{labgate.https_port}", labgate.authority)
        assert scan.returncode == 0, scan.stdout + scan.stderr
        assert f"localhost:{labgate.https_port}: OK - Compliant." in scan.stdout
