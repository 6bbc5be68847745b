"""Pebble, a scripted CA in front of it, and a labgate that answers their challenges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from proxy.app import Application
from proxy.config.settings import Settings
from tests.certs.acme.issuance import settings_for
from tests.certs.acme.scripted_ca import ScriptedCa, scripted_ca
from tests.e2e.programs import free_port
from tests.pebble import Dns, Pebble, pebble


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Where labgate serves HTTP and HTTPS, and where Pebble asks."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def ca(
    tmp_path_factory: pytest.TempPathFactory, ports: tuple[int, int]
) -> Iterator[tuple[Pebble, Dns]]:
    folder = tmp_path_factory.mktemp("pebble")
    with pebble(folder, http_port=ports[0], tls_port=ports[1]) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int]) -> Settings:
    return settings_for(tmp_path / "state", ca[0], ports)


@pytest.fixture
async def labgate(settings: Settings) -> AsyncIterator[Application]:
    """Answers challenges, renews nothing by itself."""
    app = Application(settings, access_log=False, renew=False)
    await app.start()
    yield app
    await app.stop()


@pytest.fixture
def scripted(tmp_path: Path, ca: tuple[Pebble, Dns]) -> Iterator[ScriptedCa]:
    with scripted_ca(tmp_path, ca[0]) as running:
        yield running
