"""What ``labgate reload`` says of a failure; tests/e2e/test_reload.py has the rest."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from proxy.admin.socket_path import socket_path
from proxy.cli.running import run_command
from proxy.service.commands_api import command_routes
from proxy.service.instance import Instance
from proxy.service.live_configuration import LiveConfiguration
from tests.service.test_live_configuration import FailingReload, leading_to


async def test_a_reload_that_fails(sockets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = leading_to("http://127.0.0.1:1")
    configuration = LiveConfiguration(settings, lambda: settings, "serve")
    instance = Instance(configuration, FailingReload(settings, access_log=False), datetime.now(UTC))
    app = web.Application()
    app.add_routes(command_routes(instance))
    runner = web.AppRunner(app)
    await runner.setup()
    path = socket_path(sockets)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    config = sockets / "labgate.toml"
    config.write_text(f"state.folder = '{sockets}'\n")
    try:
        await web.UnixSite(runner, str(path)).start()
        assert await run_command(argparse.Namespace(command="reload", config=config)) == 1
    finally:
        await runner.cleanup()
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "labgate: reload failed: OSError('no more memory'); the log has more. "
        "Only a part of the configuration may be in force: reload it again, or restart.\n"
    )
