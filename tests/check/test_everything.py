from __future__ import annotations

from pathlib import Path

from proxy.check.everything import check_everything
from proxy.check.verdict import Level
from proxy.config.settings import Settings


async def test_all_faults_at_once(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    settings = Settings.model_validate(
        {
            "site": {"domains": ["lab.invalid"]},
            "listen": {"bind": ["192.0.2.1"], "https_port": 8443, "http_port": 0},
            "tls": {"cert": ["/none"], "key": ["/none"]},
            "access": {"htpasswd": "/none"},
            "upstream": {"url": "unix:/none"},
            "state": {"folder": tmp_path},
        }
    )
    faults = [
        verdict.subject
        async for verdict in check_everything(settings)
        if verdict.level is Level.FAULT
    ]
    assert faults == ["Certificate", "Port", "State", "Passwords", "Name", "Upstream"]
