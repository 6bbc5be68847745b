"""Certificates from a real CA: Debian's Pebble, strict, and labgate's own edge to answer it."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.app import Application
from proxy.certs.acme import maintain, order
from proxy.certs.acme.certificate_request import CertificateRequest, certificate_request_of
from proxy.certs.acme.client import Stopped
from proxy.certs.acme.issuer import issue, schedule_renewal, storage_of, update_renewal_info
from proxy.certs.acme.maintain import Renewer
from proxy.certs.acme.problems import ObtainError
from proxy.certs.files import CertificatePair
from proxy.settings import Settings
from tests.certs.acme.front import Front, Said, front, problem
from tests.conftest import require
from tests.e2e.programs import free_port
from tests.pebble import Dns, Pebble, pebble

NAME, OTHER = "lab.example.org", "www.example.org"
PATIENCE_SECONDS = 60.0
CERTIFICATES = int(os.environ.get("PEBBLE_CERTIFICATES", "10"))
"""100 take a minute and a half."""


class Lines(list[str]):
    """Progress, kept."""

    def __call__(self, line: str) -> None:
        self.append(line)

    def about(self, part: str) -> list[str]:
        return [line for line in self if part in line]


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


def settings_for(
    state: Path, authority: Pebble | Front, ports: tuple[int, int], **acme: Any
) -> Settings:
    return Settings.model_validate(
        {
            "site": {"domains": [NAME, OTHER]},
            "listen": {"bind": ["127.0.0.1"], "http_port": ports[0], "https_port": ports[1]},
            "state": {"folder": state},
            "acme": {
                "email": "me@example.org",
                "directory": authority.directory,
                "ca_file": authority.ca_file,
                **acme,
            },
        }
    )


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


async def obtain(request: CertificateRequest, lines: Lines | None = None) -> CertificatePair:
    tell = lines if lines is not None else Lines()
    return await asyncio.to_thread(issue, request, tell, threading.Event())


async def served(port: int, trust: ssl.SSLContext, name: str = NAME) -> str:
    """The serial number of the certificate a client gets that trusts Pebble."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trust, server_hostname=name, limit=2**16
    )
    found = writer.get_extra_info("peercert")
    writer.close()
    return str(found["serialNumber"])


async def until_true(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


class TestChallenges:
    async def test_http(
        self, labgate: Application, settings: Settings, ca: tuple[Pebble, Dns]
    ) -> None:
        lines = Lines()
        request = replace(certificate_request_of(settings), challenge_types=("http-01",))
        pair = await obtain(request, lines)
        assert set(pair.names) == {NAME, OTHER}
        assert lines.about("http-01 published")
        assert lines.about("registering an account")
        assert lines.about("written to")
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
        lines = Lines()
        pair = await obtain(
            replace(certificate_request_of(settings), challenge_types=("tls-alpn-01",)), lines
        )
        assert set(pair.names) == {NAME, OTHER}
        assert len(lines.about("tls-alpn-01 published")) == 2
        assert not lines.about("http-01")

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
            request, lines = certificate_request_of(elsewhere), Lines()
            await obtain(request, lines)
            assert lines.about("trying the other challenge")
            assert lines.about(f"{NAME}: http-01 failed")
            assert storage_of(request).load_state().challenge == "tls-alpn-01"
            again = Lines()
            await obtain(request, again)
            assert not again.about("http-01")
        finally:
            await app.stop()

    @pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
    @pytest.mark.usefixtures("labgate")
    async def test_an_address(self, settings: Settings, kind: str) -> None:
        """RFC 8738: the CA asks for it by its reverse name."""
        request = replace(
            certificate_request_of(settings), names=("127.0.0.1",), challenge_types=(kind,)
        )
        assert (await obtain(request)).names == ("127.0.0.1",)

    async def test_neither_works(self, settings: Settings) -> None:
        """Nobody answers on the ports: both kinds are tried, once, and both are explained."""
        lines = Lines()
        request = certificate_request_of(settings)
        with pytest.raises(ObtainError) as raised:
            await obtain(request, lines)
        said = str(raised.value)
        assert "port 80" in said
        assert "port 443" in said
        assert "127.0.0.1" in said, "the address the CA saw"
        assert len(lines.about("published")) == 4
        state = storage_of(request).load_state()
        assert state.failures == 1
        assert state.last_error == said

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


class TestAccount:
    async def test_it_is_kept(self, labgate: Application, settings: Settings) -> None:
        request, lines = certificate_request_of(settings), Lines()
        await obtain(request)
        # An account needs no second mail address.
        unnamed = replace(request, acme=request.acme.model_copy(update={"email": ""}))
        await obtain(unnamed, lines)
        assert not lines.about("registering")

    async def test_without_an_email(self, settings: Settings) -> None:
        request = certificate_request_of(settings)
        request = replace(request, acme=request.acme.model_copy(update={"email": ""}))
        with pytest.raises(ObtainError, match="--email"):
            await obtain(request)

    async def test_a_ca_that_has_forgotten_it(self, tmp_path: Path, ports: tuple[int, int]) -> None:
        http, https = free_port(), free_port()
        with pebble(tmp_path / "ca", http_port=http, tls_port=https) as (authority, _):
            settings = settings_for(tmp_path / "state", authority, (http, https))
            app = Application(settings, access_log=False, renew=False)
            await app.start()
            try:
                request, lines = certificate_request_of(settings), Lines()
                first = await obtain(request)
                authority.stop()
                authority.start()
                second = await obtain(request, lines)
            finally:
                await app.stop()
        assert lines.about("forgotten the account")
        assert first.serial != second.serial

    async def test_external_account_binding(self, tmp_path: Path) -> None:
        http, https = free_port(), free_port()
        key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
        with pebble(tmp_path / "ca", http_port=http, tls_port=https, eab={"kid-1": key}) as (ca, _):
            state = tmp_path / "state"
            plain = settings_for(state, ca, (http, https))
            with pytest.raises(ObtainError, match=r"acme\.eab_kid"):
                await obtain(certificate_request_of(plain))
            wrong = settings_for(state, ca, (http, https), eab_kid="kid-1", eab_hmac_key="ÄÖ")
            with pytest.raises(ObtainError, match="base64url"):
                await obtain(certificate_request_of(wrong))
            settings = settings_for(state, ca, (http, https), eab_kid="kid-1", eab_hmac_key=key)
            app = Application(settings, access_log=False, renew=False)
            await app.start()
            try:
                await obtain(certificate_request_of(settings))
            finally:
                await app.stop()

    async def test_a_damaged_key(self, settings: Settings) -> None:
        with pytest.raises(ObtainError):  # nobody answers the challenges; the key is there then
            await obtain(certificate_request_of(settings))
        (key,) = settings.state_folder.rglob("account.key")
        key.write_text("half")
        with pytest.raises(ObtainError, match="is damaged"):
            await obtain(certificate_request_of(settings))


class TestHardWeather:
    async def test_half_of_all_nonces_rejected(self, tmp_path: Path) -> None:
        """Every certificate is issued; certbot's library alone gives up after two in a row."""
        http, https = free_port(), free_port()
        hard = {"PEBBLE_WFE_NONCEREJECT": "50"}
        with pebble(tmp_path / "ca", http_port=http, tls_port=https, environment=hard) as (ca, _):
            settings = settings_for(tmp_path / "state", ca, (http, https))
            app = Application(settings, access_log=False, renew=False)
            await app.start()
            try:
                request = certificate_request_of(settings)
                serials = {(await obtain(request)).serial for _ in range(CERTIFICATES)}
            finally:
                await app.stop()
        assert len(serials) == CERTIFICATES

    async def test_a_slow_order_is_taken_up_again(
        self, labgate: Application, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Stopped between proof and issue; the next attempt goes on, with the same key."""
        request, stop, lines = certificate_request_of(settings), threading.Event(), Lines()

        def tell(line: str) -> None:
            lines(line)
            if line.endswith(f"{OTHER}: validated"):
                stop.set()

        with pytest.raises(Stopped):
            await asyncio.to_thread(issue, request, tell, stop)
        assert not list((settings.state_folder / "challenges").iterdir())
        again = Lines()
        pair = await obtain(request, again)
        assert again.about("going on with the order of the last attempt")
        assert not again.about("published")
        assert pair.covers(NAME)

    async def test_the_ca_is_not_reached(self, settings: Settings) -> None:
        request = certificate_request_of(settings)
        nowhere = f"https://localhost:{free_port()}/dir"
        request = replace(request, acme=request.acme.model_copy(update={"directory": nowhere}))
        with pytest.raises(ObtainError, match=r"cannot be reached \(Connection refused"):
            await obtain(request)

    async def test_the_ca_is_not_trusted(self, settings: Settings) -> None:
        request = certificate_request_of(settings)
        request = replace(request, acme=request.acme.model_copy(update={"ca_file": None}))
        with pytest.raises(ObtainError, match=r"not trusted .*acme\.ca_file"):
            await obtain(request)

    async def test_no_directory(self, settings: Settings) -> None:
        request = certificate_request_of(settings)
        wrong = request.acme.directory.replace("/dir", "/nothing")
        request = replace(request, acme=request.acme.model_copy(update={"directory": wrong}))
        with pytest.raises(ObtainError, match=r"is not an ACME directory \(.*404"):
            await obtain(request)

    async def test_a_ca_file_that_is_none(self, settings: Settings, tmp_path: Path) -> None:
        request = certificate_request_of(settings)
        missing = request.acme.model_copy(update={"ca_file": tmp_path / "missing.pem"})
        with pytest.raises(ObtainError, match=r"acme\.ca_file .*No such file"):
            await obtain(replace(request, acme=missing))
        (tmp_path / "missing.pem").write_text("nothing")
        with pytest.raises(ObtainError, match="no PEM certificates"):
            await obtain(replace(request, acme=missing))

    async def test_a_full_disk(self, settings: Settings, tmp_path: Path) -> None:
        """Found out before the CA is asked."""
        with small_disk(tmp_path / "disk") as disk:
            fill(disk)
            request, lines = replace(certificate_request_of(settings), state_folder=disk), Lines()
            with pytest.raises(ObtainError, match=r"No space left.*Make room there"):
                await obtain(request, lines)
        assert not lines

    async def test_nowhere_to_write(self, settings: Settings, tmp_path: Path) -> None:
        """Found out before the CA is asked."""
        (tmp_path / "file").write_text("")
        request, lines = (
            replace(certificate_request_of(settings), state_folder=tmp_path / "file"),
            Lines(),
        )
        with pytest.raises(ObtainError, match=r"cannot be kept in .*state\.folder"):
            await obtain(request, lines)
        assert not lines


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, check=False)
    require(
        mounted.returncode == 0,
        "no file system can be mounted",
        "run it as root, outside of containers",
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a small disk; the file that takes it."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


@pytest.fixture
def door(tmp_path: Path, ca: tuple[Pebble, Dns]) -> Iterator[Front]:
    with front(tmp_path, ca[0]) as running:
        yield running


def through(door: Front, settings: Settings) -> CertificateRequest:
    request = certificate_request_of(settings)
    update = {"directory": door.directory, "ca_file": door.ca_file}
    return replace(request, acme=request.acme.model_copy(update=update))


class SlowCa:
    """Needs no proof, and is processing an order for as many questions as it is told."""

    def __init__(self, door: Front, questions: int) -> None:
        self.door, self.questions = door, questions
        self.chain = ""
        here = door.address
        door.resources |= {
            "newNonce": lambda _: Said(200, "", NONCE),
            "newAccount": lambda _: Said(201, {"status": "valid"}, at(f"{here}/account")),
            "newOrder": lambda _: Said(201, self.order("ready"), at(f"{here}/order")),
            "order": self.asked,
            "finalize": self.finalize,
            "certificate": lambda _: Said(200, self.chain, NONCE | PEM),
        }

    def order(self, status: str) -> dict[str, Any]:
        here = self.door.address
        order = {"status": status, "authorizations": [], "finalize": f"{here}/finalize"}
        return order | ({"certificate": f"{here}/certificate"} if status == "valid" else {})

    def asked(self, _: Any) -> Said:
        self.questions -= 1
        status = "processing" if self.questions >= 0 else "valid"
        return Said(200, self.order(status), NONCE | {"Retry-After": "1"})

    def finalize(self, payload: Any) -> Said:
        der = base64.urlsafe_b64decode(payload["csr"] + "==")
        request = x509.load_der_x509_csr(der)
        key = ec.generate_private_key(ec.SECP256R1())
        subject, now = x509.Name([]), datetime.now(UTC)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issued = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + timedelta(days=6))
            .add_extension(names, True)
            .sign(key, SHA256())
        )
        self.chain = issued.public_bytes(Encoding.PEM).decode("ascii")
        return Said(200, self.order("processing"), NONCE | {"Retry-After": "1"})


NONCE = {"Replay-Nonce": "bm9uY2U"}
PEM = {"Content-Type": "application/pem-certificate-chain"}


def at(location: str) -> dict[str, str]:
    return NONCE | {"Location": location}


class TestASlowCa:
    """Without Pebble: it issues at once."""

    async def test_it_is_waited_for(self, tmp_path: Path, settings: Settings) -> None:
        with front(tmp_path, None) as door:
            SlowCa(door, questions=3)
            pair = await obtain(through(door, settings))
            orders = [path for path, _ in door.asked if path == "order"]
        assert pair.covers(NAME)
        assert len(orders) == 4
        # A certificate of six days has its renewal before them, and no suggestion.
        request = through(door, settings)
        planned = schedule_renewal(
            request, pair, storage_of(request).load_state(), datetime.now(UTC)
        )
        assert timedelta(days=3.7) < planned.at - datetime.now(UTC) < timedelta(days=4.1)

    async def test_longer_than_an_attempt(
        self, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The attempt ends, the order does not: the next attempt finds the certificate."""
        monkeypatch.setattr(order, "ISSUANCE_TIMEOUT_SECONDS", 2.0)
        with front(tmp_path, None) as door:
            slow = SlowCa(door, questions=10**6)
            request = through(door, settings)
            with pytest.raises(ObtainError, match="The order stays open"):
                await obtain(request)
            assert storage_of(request).load_state().failures == 1
            slow.questions = 0
            lines = Lines()
            pair = await obtain(request, lines)
            orders = [path for path, _ in door.asked if path == "newOrder"]
        assert lines.about("going on with the order")
        assert pair.covers(OTHER)
        assert len(orders) == 1
        assert storage_of(request).load_state().failures == 0

    async def test_a_disk_that_is_full_when_the_certificate_comes(
        self, tmp_path: Path, settings: Settings
    ) -> None:
        """Issuance counts against rate limits: the next attempt saves the same certificate."""
        with front(tmp_path, None) as door, small_disk(tmp_path / "disk") as disk:
            slow = SlowCa(door, questions=0)
            filler: list[Path] = []

            def certificate(_: Any) -> Said:
                if not filler:
                    filler.append(fill(disk))
                return Said(200, slow.chain, NONCE | PEM)

            door.resources["certificate"] = certificate
            request = replace(through(door, settings), state_folder=disk)
            with pytest.raises(ObtainError, match=r"No space left.*Make room there"):
                await obtain(request)
            filler[0].unlink()
            lines = Lines()
            pair = await obtain(request, lines)
            assert pair.cert.read_text("ascii") == slow.chain
            asked = [path for path, _ in door.asked]
        assert lines.about("going on with the order")
        assert (asked.count("newOrder"), asked.count("finalize")) == (1, 1)
        assert asked.count("certificate") == 2


class TestTheCasWord:
    async def test_a_rate_limit(self, door: Front, settings: Settings) -> None:
        door.resources["newOrder"] = lambda _: problem(
            429, "rateLimited", "too many certificates for example.org", Retry_After="7200"
        )
        request, before = through(door, settings), datetime.now(UTC)
        with pytest.raises(ObtainError, match="rate limit") as raised:
            await obtain(request)
        assert raised.value.not_before is not None
        assert timedelta(hours=1.9) < raised.value.not_before - before < timedelta(hours=2.1)
        assert storage_of(request).load_state().not_before == raised.value.not_before
        assert len(door.asked) == 1

    async def test_a_rate_limit_without_an_end(self, door: Front, settings: Settings) -> None:
        door.resources["newOrder"] = lambda _: problem(429, "rateLimited", "too many")
        with pytest.raises(ObtainError) as raised:
            await obtain(through(door, settings))
        assert raised.value.not_before is not None
        assert raised.value.not_before - datetime.now(UTC) > timedelta(minutes=50)

    async def test_caa(self, door: Front, settings: Settings) -> None:
        door.resources["newOrder"] = lambda _: problem(403, "caa", f"CAA record for {NAME}")
        with pytest.raises(ObtainError, match="CAA 0 issue"):
            await obtain(through(door, settings))

    async def test_a_rejected_name(self, door: Front, settings: Settings) -> None:
        door.resources["newOrder"] = lambda _: problem(400, "rejectedIdentifier", "on a list")
        with pytest.raises(ObtainError, match=r"does not issue .*on a list"):
            await obtain(through(door, settings))

    async def test_a_ca_that_is_down(self, door: Front, settings: Settings) -> None:
        door.resources["newOrder"] = lambda _: Said(503, "closed", {"Retry-After": "600"})
        with pytest.raises(ObtainError, match=r"internal error \(HTTP 503") as raised:
            await obtain(through(door, settings))
        assert raised.value.not_before is not None

    @pytest.mark.parametrize("content", [[], "text", {}, {"status": "weird"}, None])
    async def test_an_answer_that_makes_no_sense(
        self, door: Front, settings: Settings, content: Any
    ) -> None:
        """Whatever it is, it is a failure that is remembered, and not the end of renewals."""
        door.resources["newOrder"] = lambda _: Said(201, content, at("https://localhost/x"))
        request = through(door, settings)
        with pytest.raises(ObtainError, match=r"makes no sense|not expect|cannot be reached"):
            await obtain(request)
        assert storage_of(request).load_state().failures == 1

    @pytest.mark.parametrize(
        "content", [[], "text", {}, {"suggestedWindow": {}}, {"suggestedWindow": {"start": "x"}}]
    )
    async def test_a_suggestion_that_makes_no_sense(
        self, door: Front, labgate: Application, settings: Settings, content: Any
    ) -> None:
        request = through(door, settings)
        pair = await obtain(request)
        door.resources["renewalInfo"] = lambda _: Said(200, content)
        update_renewal_info(request, pair, threading.Event())
        state = storage_of(request).load_state()
        assert state.window(pair.serial) is None
        assert state.ask_at is not None
        assert state.ask_at > datetime.now(UTC)

    async def test_another_clock(self, door: Front, settings: Settings) -> None:
        door.skew_seconds = 2 * 3600
        door.resources["newOrder"] = lambda _: problem(400, "malformed", "no")
        with pytest.raises(ObtainError, match="clock is 120 minutes late: set it"):
            await obtain(through(door, settings))

    async def test_the_suggested_time(
        self, door: Front, labgate: Application, settings: Settings
    ) -> None:
        """Asked for by the certificate's ID; an order then says what it replaces."""
        start = datetime.now(UTC) + timedelta(days=3)
        window = {
            "start": start.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "end": (start + timedelta(days=2)).isoformat(timespec="seconds").replace("+00:00", "Z"),
        }
        door.resources["renewalInfo"] = lambda _: Said(
            200, {"suggestedWindow": window}, {"Retry-After": "21600"}
        )
        assert labgate.certificates is not None
        request = through(door, settings)
        pair = await obtain(request)
        labgate.certificates.reload()
        renewing = asyncio.ensure_future(Renewer(request, labgate.certificates).run())
        entry = labgate.certificates.managed[0]
        await until_true(lambda: entry.next_renewal, "no next renewal told")
        assert entry.next_renewal is not None
        assert start - timedelta(seconds=1) <= entry.next_renewal <= start + timedelta(days=2)
        renewing.cancel()
        ((path, _),) = door.asked
        known = path.removeprefix("renewalInfo/")
        assert known.count(".") == 1

        door.asked.clear()
        orders = [problem(409, "alreadyReplaced", "done"), problem(429, "rateLimited", "enough")]
        door.resources["newOrder"] = lambda _: orders.pop(0)
        with pytest.raises(ObtainError, match="rate limit"):
            await obtain(request)
        replaced = [payload.get("replaces") for _, payload in door.asked]
        assert replaced == [known, None]
        assert storage_of(request).installed_pair() == pair


class TestRenewer:
    async def test_it_obtains_by_itself(self, settings: Settings, ca: tuple[Pebble, Dns]) -> None:
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

    async def test_it_renews_in_time(self, tmp_path: Path) -> None:
        """Certificates of 24 seconds: each is replaced while it is still valid."""
        http, https = free_port(), free_port()
        lived = pebble(tmp_path / "ca", http_port=http, tls_port=https, validity_seconds=24)
        with lived as (ca, _):
            app = Application(settings_for(tmp_path / "state", ca, (http, https)), access_log=False)
            await app.start()
            try:
                store = app.certificates
                assert store is not None
                entry = store.managed[0]
                await until_true(lambda: not store.managed[0].temporary, "no certificate")
                first = entry.pair
                assert first is not None
                await until_true(lambda: entry.pair is not first, "not renewed")
                assert datetime.now(UTC) < first.not_after
                assert not entry.temporary
            finally:
                await app.stop()

    async def test_another_name_and_another_ca(
        self, settings: Settings, ca: tuple[Pebble, Dns], door: Front
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
            schedule_renewal(certificate_request_of(alone), first, storage.load_state(), now).at
            > now
        )
        assert schedule_renewal(through(door, alone), first, storage.load_state(), now).at == now
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

    async def test_one_of_several(
        self, settings: Settings, ca: tuple[Pebble, Dns], monkeypatch: pytest.MonkeyPatch
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

    async def test_a_failure_waits(self, door: Front, settings: Settings) -> None:
        """It is told, and not repeated, also not by the next start."""
        door.resources["newOrder"] = lambda _: problem(500, "serverInternal", "boom")
        update = {"directory": door.directory, "ca_file": door.ca_file}
        settings = settings.model_copy(update={"acme": settings.acme.model_copy(update=update)})
        for _ in range(2):
            app = Application(settings, access_log=False)
            await app.start()
            try:
                assert app.certificates is not None
                entry = app.certificates.managed[0]
                await until_true(lambda entry=entry: entry.last_error, "nothing told")
                assert "boom" in entry.last_error
                assert entry.next_renewal is not None
                assert entry.next_renewal > datetime.now(UTC) + timedelta(minutes=3)
            finally:
                await app.stop()
        assert len(door.asked) == 1

    async def test_a_stop_does_not_wait_for_the_ca(self, door: Front, settings: Settings) -> None:
        entered, leave = threading.Event(), threading.Event()

        def slow(_: Any) -> Said:
            entered.set()
            leave.wait(PATIENCE_SECONDS)
            return problem(500, "serverInternal", "late")

        door.resources["newOrder"] = slow
        update = {"directory": door.directory, "ca_file": door.ca_file}
        settings = settings.model_copy(update={"acme": settings.acme.model_copy(update=update)})
        app = Application(settings, access_log=False)
        await app.start()
        try:
            await until_true(entered.is_set, "no order")
            async with asyncio.timeout(PATIENCE_SECONDS / 2):
                await app.stop()
        finally:
            leave.set()
