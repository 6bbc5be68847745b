"""One issuance with a real CA: Debian's Pebble, strict, and labgate's own edge to answer it."""

from __future__ import annotations

import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from proxy.app import Application
from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.acme.problems import ObtainError
from proxy.certs.acme.storage import storage_of
from proxy.config.settings import Settings
from tests.certs.acme.disks import fill, small_disk
from tests.certs.acme.issuance import (
    NAME,
    OTHER,
    Steps,
    obtain,
    served,
    through,
)
from tests.certs.acme.scripted_ca import (
    NONCE,
    PEM,
    Response,
    ScriptedCa,
    SlowCa,
    located_at,
    problem,
    scripted_ca,
)
from tests.pebble import Dns, Pebble


class TestChallenges:
    async def test_http(
        self, labgate: Application, settings: Settings, ca: tuple[Pebble, Dns]
    ) -> None:
        steps = Steps()
        request = replace(certificate_request_of(settings), challenge_types=("http-01",))
        pair = await obtain(request, steps)
        assert set(pair.names) == {NAME, OTHER}
        assert steps.about("http-01 published")
        assert steps.about("registering an account")
        assert steps.about("written to")
        for file in settings.state_folder.rglob("*.key"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
        assert not list((settings.state_folder / "challenges").iterdir())
        assert labgate.certificates is not None
        labgate.certificates.reload()
        trust = ca[0].root()
        for name in (NAME, OTHER):
            assert await served(settings.https_port, trust, name) == pair.serial

    async def test_tls_alpn(
        self, labgate: Application, settings: Settings, ca: tuple[Pebble, Dns]
    ) -> None:
        steps = Steps()
        pair = await obtain(
            replace(certificate_request_of(settings), challenge_types=("tls-alpn-01",)), steps
        )
        assert set(pair.names) == {NAME, OTHER}
        assert len(steps.about("tls-alpn-01 published")) == 2
        assert not steps.about("http-01")

    @pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
    @pytest.mark.usefixtures("labgate")
    async def test_an_address(self, settings: Settings, kind: str) -> None:
        """RFC 8738: the CA asks for it by its reverse name."""
        request = replace(
            certificate_request_of(settings), names=("127.0.0.1",), challenge_types=(kind,)
        )
        assert (await obtain(request)).names == ("127.0.0.1",)


class TestFiles:
    async def test_a_full_disk(self, settings: Settings, tmp_path: Path) -> None:
        """Found out before the CA is asked."""
        with small_disk(tmp_path / "disk") as disk:
            fill(disk)
            request, steps = replace(certificate_request_of(settings), state_folder=disk), Steps()
            with pytest.raises(ObtainError, match=r"No space left.*Make room there"):
                await obtain(request, steps)
        assert not steps

    async def test_nowhere_to_write(self, settings: Settings, tmp_path: Path) -> None:
        """Found out before the CA is asked."""
        (tmp_path / "file").write_text("")
        request, steps = (
            replace(certificate_request_of(settings), state_folder=tmp_path / "file"),
            Steps(),
        )
        with pytest.raises(ObtainError, match=r"cannot be kept in .*state\.folder"):
            await obtain(request, steps)
        assert not steps

    async def test_a_disk_that_is_full_when_the_certificate_comes(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Issuance counts against rate limits: the next attempt saves the same certificate."""
        with scripted_ca(tmp_path, None) as scripted, small_disk(tmp_path / "disk") as disk:
            slow = SlowCa(scripted, polls=0)
            filler: list[Path] = []

            def certificate(_: Any) -> Response:
                if not filler:
                    filler.append(fill(disk))
                return Response(200, slow.chain, NONCE | PEM)

            scripted.resources["certificate"] = certificate
            request = replace(through(scripted, settings), state_folder=disk)
            with pytest.raises(ObtainError, match=r"No space left.*Make room there"):
                await obtain(request)
            filler[0].unlink()
            steps = Steps()
            pair = await obtain(request, steps)
            assert pair.cert.read_text("ascii") == slow.chain
            asked = [path for path, _ in scripted.requests]
        assert steps.about("going on with the order")
        assert (asked.count("newOrder"), asked.count("finalize")) == (1, 1)
        assert asked.count("certificate") == 2

    async def test_a_ca_that_is_down_when_the_certificate_comes(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Also twice, and for another reason the second time."""
        with scripted_ca(tmp_path, None) as scripted:
            slow = SlowCa(scripted, polls=0)
            request = through(scripted, settings)
            download = scripted.resources["certificate"]
            scripted.resources["certificate"] = lambda _: problem(503, "serverInternal", "closed")
            with pytest.raises(ObtainError, match=r"closed|503"):
                await obtain(request)
            scripted.resources["certificate"] = download
            scripted.resources["newNonce"] = lambda _: Response(503, "closed", {})
            with pytest.raises(ObtainError):
                await obtain(request)
            scripted.resources["newNonce"] = lambda _: Response(200, "", NONCE)
            pair = await obtain(request)
            assert pair.cert.read_text("ascii") == slow.chain
            asked = [path for path, _ in scripted.requests]
        assert (asked.count("newOrder"), asked.count("finalize")) == (1, 1)


class TestErrorsOfTheCa:
    async def test_a_rate_limit(self, scripted: ScriptedCa, settings: Settings) -> None:
        scripted.resources["newOrder"] = lambda _: problem(
            429, "rateLimited", "too many certificates for example.org", Retry_After="7200"
        )
        request, before = through(scripted, settings), datetime.now(UTC)
        with pytest.raises(ObtainError, match="rate limit") as raised:
            await obtain(request)
        assert raised.value.not_before is not None
        assert timedelta(hours=1.9) < raised.value.not_before - before < timedelta(hours=2.1)
        assert storage_of(request).load_state().not_before == raised.value.not_before
        assert len(scripted.requests) == 1

    async def test_a_rate_limit_without_an_end(
        self, scripted: ScriptedCa, settings: Settings
    ) -> None:
        scripted.resources["newOrder"] = lambda _: problem(429, "rateLimited", "too many")
        with pytest.raises(ObtainError) as raised:
            await obtain(through(scripted, settings))
        assert raised.value.not_before is not None
        assert raised.value.not_before - datetime.now(UTC) > timedelta(minutes=50)

    async def test_caa(self, scripted: ScriptedCa, settings: Settings) -> None:
        scripted.resources["newOrder"] = lambda _: problem(403, "caa", f"CAA record for {NAME}")
        with pytest.raises(ObtainError, match="CAA 0 issue"):
            await obtain(through(scripted, settings))

    async def test_a_rejected_name(self, scripted: ScriptedCa, settings: Settings) -> None:
        scripted.resources["newOrder"] = lambda _: problem(400, "rejectedIdentifier", "on a list")
        with pytest.raises(ObtainError, match=r"does not issue .*on a list"):
            await obtain(through(scripted, settings))

    async def test_a_ca_that_is_down(self, scripted: ScriptedCa, settings: Settings) -> None:
        scripted.resources["newOrder"] = lambda _: Response(503, "closed", {"Retry-After": "600"})
        with pytest.raises(ObtainError, match=r"internal error \(HTTP 503") as raised:
            await obtain(through(scripted, settings))
        assert raised.value.not_before is not None

    @pytest.mark.parametrize("content", [[], "text", {}, {"status": "weird"}, None])
    async def test_an_answer_that_makes_no_sense(
        self, scripted: ScriptedCa, settings: Settings, content: Any
    ) -> None:
        """Whatever it is, it is a failure that is remembered, and not the end of renewals."""
        scripted.resources["newOrder"] = lambda _: Response(
            201, content, located_at("https://localhost/x")
        )
        request = through(scripted, settings)
        with pytest.raises(ObtainError, match=r"makes no sense|not expect|cannot be reached"):
            await obtain(request)
        assert storage_of(request).load_state().failures == 1

    async def test_another_clock(self, scripted: ScriptedCa, settings: Settings) -> None:
        scripted.skew_seconds = 2 * 3600
        scripted.resources["newOrder"] = lambda _: problem(400, "malformed", "no")
        with pytest.raises(ObtainError, match="clock is 120 minutes late: set it"):
            await obtain(through(scripted, settings))
