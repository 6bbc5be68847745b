"""A reload after a file of the configuration before has gone; others: tests/e2e/test_reload.py."""

from __future__ import annotations

from pathlib import Path

import trustme

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.service.live_configuration import LiveConfiguration


async def test_the_authority_of_the_upstream_was_replaced(tmp_path: Path) -> None:
    def trusting(name: str) -> Settings:
        upstream = {"url": "https://127.0.0.1:8888", "ca": tmp_path / name}
        return Settings.model_validate({"listen": {"tls": False}, "upstream": upstream})

    before, after = tmp_path / "before.pem", tmp_path / "after.pem"
    trustme.CA().cert_pem.write_to_path(before)
    app = Application(trusting("before.pem"), access_log=False)
    configuration = LiveConfiguration(
        trusting("before.pem"), lambda: trusting("after.pem"), "serve"
    )
    before.rename(after)
    outcome = await configuration.reload(app, "the test")
    assert (outcome.refused, outcome.changed) == ("", ("upstream.ca",))
    assert app.upstream == trusting("after.pem").upstream.address
