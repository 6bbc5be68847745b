"""What is served beside the public ports.

tests/e2e/test_inspect.py, tests/e2e/test_takeover.py and tests/web/test_metrics.py have the rest.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.app import Application
from proxy.cli.side_listeners import with_side_listeners
from proxy.config.settings import Settings
from proxy.inspector.recorder import CaptureOptions
from proxy.service.lifetime import Lifetime
from proxy.service.live_configuration import LiveConfiguration


@pytest.mark.parametrize(
    ("successor", "show_headers", "captures"),
    [(0, False, True), (4711, False, False), (4711, True, True)],
)
async def test_after_a_handover_nobody_can_look(
    sockets: Path, successor: int, show_headers: bool, captures: bool
) -> None:
    """What ``--show-headers`` prints goes on: it is for the one who started this labgate."""
    values = {
        "listen": {"tls": False},
        "state": {"folder": sockets},
        "log": {"show_headers": show_headers},
    }
    settings = Settings.model_validate(values)
    app, lifetime = Application(settings, access_log=False), Lifetime()
    configuration = LiveConfiguration(settings, lambda: settings, "serve")

    async def work() -> None:
        app.inspector.switch(CaptureOptions())
        lifetime.handover.successor = successor

    await with_side_listeners(configuration, app, lifetime, work())
    assert (app.inspector.options is not None) == captures
