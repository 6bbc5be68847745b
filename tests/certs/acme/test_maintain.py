"""Renewals by themselves: on time, by one process of several, and after failures."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.app import Application
from proxy.certs.acme import maintain
from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.acme.maintain import Renewer
from proxy.certs.acme.renewal_state import schedule_renewal
from proxy.certs.acme.storage import storage_of
from proxy.config.settings import Settings
from tests.certs.acme.issuance import (
    NAME,
    OTHER,
    PATIENCE_SECONDS,
    obtain,
    served,
    settings_for,
    through,
    until_true,
)
from tests.certs.acme.scripted_ca import (
    Response,
    ScriptedCa,
    problem,
)
from tests.e2e.programs import free_port
from tests.pebble import Dns, Pebble, pebble


async def test_it_obtains_by_itself(settings: Settings, ca: tuple[Pebble, Dns]) -> None:
    app = Application(settings, access_log=False)
    await app.start()
    try:
        store = app.certificates
        assert store is not None
        assert [one.name for one in store.managed if one.temporary] == [NAME]
        await until_true(lambda: not store.managed[0].temporary, "no certificate")
        assert await served(settings.https_port, ca[0].root())
        await until_true(lambda: store.managed[0].next_renewal, "no next renewal")
        planned = store.managed[0].next_renewal
        assert planned is not None
        assert timedelta(days=57) < planned - datetime.now(UTC) < timedelta(days=60)
    finally:
        await app.stop()


async def test_it_renews_in_time(tmp_path: Path) -> None:
    """Certificates of 24 seconds: each is replaced while it is still valid."""
    http, https = free_port(), free_port()
    lived = pebble(tmp_path / "ca", http_port=http, tls_port=https, validity_seconds=24)
    with lived as (ca, _):
        app = Application(settings_for(tmp_path / "state", ca, (http, https)), access_log=False)
        await app.start()
        try:
            store = app.certificates
            assert store is not None
            managed = store.managed[0]
            await until_true(lambda: not store.managed[0].temporary, "no certificate")
            first = managed.pair
            assert first is not None
            await until_true(lambda: managed.pair is not first, "not renewed")
            assert datetime.now(UTC) < first.not_after
            assert not managed.temporary
        finally:
            await app.stop()


async def test_another_name_and_another_ca(
    settings: Settings, ca: tuple[Pebble, Dns], scripted: ScriptedCa
) -> None:
    """What there is serves on until there is what was configured since."""
    request = certificate_request_of(settings)
    alone = settings.model_copy(
        update={"site": settings.site.model_copy(update={"domains": (NAME,)})}
    )
    app = Application(alone, access_log=False, renew=False)
    await app.start()
    first = await obtain(certificate_request_of(alone))
    await app.stop()
    assert first.names == (NAME,)
    now, storage = datetime.now(UTC), storage_of(request)
    assert (
        schedule_renewal(certificate_request_of(alone), first, storage.load_state(), now).at > now
    )
    assert schedule_renewal(through(scripted, alone), first, storage.load_state(), now).at == now
    app = Application(settings, access_log=False)
    await app.start()
    try:
        store = app.certificates
        assert store is not None
        assert not store.managed[0].temporary
        pair = store.managed[0].pair
        assert pair is not None
        assert pair.serial == first.serial
        await until_true(lambda: store.managed[0].pair is not pair, "no other certificate")
        assert await served(settings.https_port, ca[0].root(), OTHER) != first.serial
    finally:
        await app.stop()


async def test_one_of_several_processes_obtains(
    settings: Settings, ca: tuple[Pebble, Dns], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three that share a state folder ask once, and each knows what comes next."""
    monkeypatch.setattr(maintain, "LOCKED_RETRY_SECONDS", 0.05)
    issued = ca[0].stdout.read_text().count("Issued certificate")
    app = Application(settings, access_log=False)
    await app.start()
    store = app.certificates
    assert store is not None
    others = [Renewer(certificate_request_of(settings), store) for _ in range(2)]
    running = [asyncio.ensure_future(other.run()) for other in others]
    try:
        await until_true(lambda: not store.managed[0].temporary, "no certificate")
        # They found the lock free, and a certificate behind it.
        planned = lambda: all(other._reported for other in others)  # noqa: E731
        await until_true(planned, "the others wait for ever")
    finally:
        for one in running:
            one.cancel()
        await app.stop()
    assert ca[0].stdout.read_text().count("Issued certificate") == issued + 1


async def test_a_failure_is_not_repeated_at_once(scripted: ScriptedCa, settings: Settings) -> None:
    """It is reported, and not repeated by the next start either."""
    scripted.resources["newOrder"] = lambda _: problem(500, "serverInternal", "boom")
    update = {"directory": scripted.directory, "ca_file": scripted.ca_file}
    settings = settings.model_copy(update={"acme": settings.acme.model_copy(update=update)})
    for _ in range(2):
        app = Application(settings, access_log=False)
        await app.start()
        try:
            assert app.certificates is not None
            managed = app.certificates.managed[0]
            await until_true(lambda managed=managed: managed.last_error, "nothing reported")
            assert "boom" in managed.last_error
            assert managed.next_renewal is not None
            assert managed.next_renewal > datetime.now(UTC) + timedelta(minutes=3)
        finally:
            await app.stop()
    assert len(scripted.requests) == 1


async def test_a_stop_does_not_wait_for_the_ca(scripted: ScriptedCa, settings: Settings) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: Any) -> Response:
        entered.set()
        leave.wait(PATIENCE_SECONDS)
        return problem(500, "serverInternal", "late")

    scripted.resources["newOrder"] = slow
    update = {"directory": scripted.directory, "ca_file": scripted.ca_file}
    settings = settings.model_copy(update={"acme": settings.acme.model_copy(update=update)})
    app = Application(settings, access_log=False)
    await app.start()
    try:
        await until_true(entered.is_set, "no order")
        async with asyncio.timeout(PATIENCE_SECONDS / 2):
            await app.stop()
    finally:
        leave.set()
