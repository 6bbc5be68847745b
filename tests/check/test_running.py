"""What `labgate check` says of one that runs already; beside one: tests/e2e/test_status.py."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from proxy.check.everything import check_everything
from proxy.check.running import check_claim
from proxy.check.verdict import Level
from proxy.config.settings import Settings
from proxy.runtime.instance_lock import ABSTRACT, acquire, container_claim, folder_claim


def test_what_another_labgate_has_is_a_fault(tmp_path: Path) -> None:
    claim = folder_claim(tmp_path)
    assert list(check_claim(claim, 0)) == []
    assert list(tmp_path.iterdir()) == [], "a check makes nothing"
    with closing(acquire(claim)):
        (verdict,) = check_claim(claim, 0)
        assert verdict.level is Level.FAULT
        assert verdict.text.startswith(f"Already running as process {os.getpid()}, since ")
        assert list(check_claim(claim, os.getpid())) == []
        assert len(list(check_claim(claim, os.getpid() + 1))) == 1
    assert list(check_claim(claim, 0)) == []


@pytest.mark.skipif(not ABSTRACT, reason="needs Linux")
def test_a_container_of_another_labgate(tmp_path: Path) -> None:
    claim = container_claim(f"unix://{tmp_path}/engine", "jupyter")
    assert list(check_claim(claim, 0)) == []
    with closing(acquire(claim)):
        (verdict,) = check_claim(claim, 0)
        assert f"process {os.getpid()}" in verdict.text
        assert "with the container jupyter" in verdict.text
    assert list(check_claim(claim, 0)) == []


async def test_it_is_among_everything(tmp_path: Path) -> None:
    """As for an `up` whose admin socket cannot be reached."""
    settings = Settings.model_validate(
        {
            "listen": {"tls": False, "bind": "127.0.0.1", "http_port": 1},
            "jupyter": {"launch": "process", "folder": tmp_path},
            "state": {"folder": tmp_path},
        }
    )
    with closing(acquire(folder_claim(tmp_path))):
        verdicts = [verdict async for verdict in check_everything(settings)]
    assert [one.subject for one in verdicts if "Already running" in one.text] == ["labgate"]
