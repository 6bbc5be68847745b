"""Orders: a second challenge after the first, a CA that takes its time, an order resumed."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.app import Application
from proxy.certs.acme import order
from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.acme.client import Stopped
from proxy.certs.acme.issuer import issue
from proxy.certs.acme.problems import ObtainError
from proxy.certs.acme.renewal_state import schedule_renewal
from proxy.certs.acme.storage import storage_of
from proxy.config.settings import Settings
from tests.certs.acme.issuance import (
    NAME,
    OTHER,
    Steps,
    obtain,
    through,
)
from tests.certs.acme.scripted_ca import SlowCa, scripted_ca
from tests.e2e.programs import free_port
from tests.pebble import Dns, Pebble


class TestChallenges:
    async def test_the_other_as_fallback(
        self, tmp_path: Path, settings: Settings, ca: tuple[Pebble, Dns]
    ) -> None:
        """Port 80 leads somewhere else; what succeeded comes first the next time."""
        elsewhere = settings.model_copy(
            update={"listen": settings.listen.model_copy(update={"http_port": free_port()})}
        )
        app = Application(elsewhere, access_log=False, renew=False)
        await app.start()
        try:
            request, steps = certificate_request_of(elsewhere), Steps()
            await obtain(request, steps)
            assert steps.about("trying the other challenge")
            assert steps.about(f"{NAME}: http-01 failed")
            assert storage_of(request).load_state().challenge == "tls-alpn-01"
            again = Steps()
            await obtain(request, again)
            assert not again.about("http-01")
        finally:
            await app.stop()

    async def test_neither_works(self, settings: Settings) -> None:
        """Nobody answers on the ports: both kinds are tried, once, and both are explained."""
        steps = Steps()
        request = certificate_request_of(settings)
        with pytest.raises(ObtainError) as raised:
            await obtain(request, steps)
        message = str(raised.value)
        assert "port 80" in message
        assert "port 443" in message
        assert "127.0.0.1" in message, "the address the CA saw"
        assert len(steps.about("published")) == 4
        state = storage_of(request).load_state()
        assert state.failures == 1
        assert state.last_error == message

    async def test_a_name_without_an_address(
        self, settings: Settings, ca: tuple[Pebble, Dns]
    ) -> None:
        """Pebble calls it `connection`; what others call it is in the table of problems."""
        ca[1].tell("set-default-ipv4", ip="")
        try:
            with pytest.raises(ObtainError, match="A and AAAA records") as raised:
                await obtain(certificate_request_of(settings))
        finally:
            ca[1].tell("set-default-ipv4", ip="127.0.0.1")
        assert "resolve" in str(raised.value)
        assert NAME in str(raised.value)


class TestResuming:
    async def test_a_stopped_attempt_is_resumed(
        self, labgate: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stopped between proof and issue; the next attempt goes on, with the same key."""
        request, stop, steps = certificate_request_of(settings), threading.Event(), Steps()

        def report(line: str) -> None:
            steps(line)
            if line.endswith(f"{OTHER}: validated"):
                stop.set()

        with pytest.raises(Stopped):
            await asyncio.to_thread(issue, request, report, stop)
        assert not list((settings.state_folder / "challenges").iterdir())
        again = Steps()
        pair = await obtain(request, again)
        assert again.about("going on with the order of the last attempt")
        assert not again.about("published")
        assert pair.covers(NAME)


class TestASlowCa:
    """Without Pebble, which issues at once."""

    async def test_an_order_is_polled_until_it_is_valid(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        with scripted_ca(tmp_path, None) as scripted:
            SlowCa(scripted, polls=3)
            pair = await obtain(through(scripted, settings))
            orders = [path for path, _ in scripted.requests if path == "order"]
        assert pair.covers(NAME)
        assert len(orders) == 4
        # A certificate of six days has its renewal before them, and no suggestion.
        request = through(scripted, settings)
        planned = schedule_renewal(
            request, pair, storage_of(request).load_state(), datetime.now(UTC)
        )
        assert timedelta(days=3.7) < planned.at - datetime.now(UTC) < timedelta(days=4.1)

    async def test_an_order_that_takes_longer_than_an_attempt(
        self, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The attempt ends, the order does not: the next attempt finds the certificate."""
        monkeypatch.setattr(order, "ISSUANCE_TIMEOUT_SECONDS", 2.0)
        with scripted_ca(tmp_path, None) as scripted:
            slow = SlowCa(scripted, polls=10**6)
            request = through(scripted, settings)
            with pytest.raises(ObtainError, match="The order stays open"):
                await obtain(request)
            assert storage_of(request).load_state().failures == 1
            slow.polls = 0
            steps = Steps()
            pair = await obtain(request, steps)
            orders = [path for path, _ in scripted.requests if path == "newOrder"]
        assert steps.about("going on with the order")
        assert pair.covers(OTHER)
        assert len(orders) == 1
        assert storage_of(request).load_state().failures == 0
