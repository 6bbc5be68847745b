"""Nobody takes over from a labgate that its container ends with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.programs import Labgate
from tests.namespaces import NAMESPACE, namespaces_allowed
from tests.upstreams import OK, says, upstream


class FirstProcess(Labgate):
    """Process 1 of a process namespace, as in a container."""

    def command(self) -> list[str]:
        return [*NAMESPACE, *super().command()]


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_first_process_of_a_container_stays(tmp_path: Path, workers: int) -> None:
    """With it the kernel would end its successor."""
    if not namespaces_allowed():
        pytest.skip("this machine allows no namespaces")
    flags = ["--workers", str(workers)]
    async with upstream(says(OK)) as behind:
        flags += ["--upstream", str(behind.address)]
        with FirstProcess(tmp_path, "serve", *flags) as first:
            asked = first.ask_by_command("upgrade")
            ports = ("--https-port", str(first.https_port), "--http-port", str(first.http_port))
            second = first.ask_by_command("serve", *flags, *ports, "--take-over")
            for ran in (asked, second):
                assert ran.returncode == 1
                assert "Replace the container instead." in ran.stderr
            assert first.ask("GET", "/.labgate/health").status == 200
            first.kill()  # unshare does not hand on a SIGTERM
