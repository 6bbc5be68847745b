"""The files of one certificate: staged, exchanged as a whole, remembered."""

from __future__ import annotations

import asyncio
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from proxy.certs.acme import solvers
from proxy.certs.acme.renewal_state import RenewalState, load_state, save_state
from proxy.certs.acme.solvers import (
    ChallengeSolver,
    TlsAlpnResponder,
    challenge_folder,
    server_name,
)
from proxy.certs.acme.storage import CertificateStorage, PendingOrder
from proxy.certs.files import load_pair
from proxy.errors import StartError

NAME = "lab.example.org"
ORDER = PendingOrder("https://ca.example/dir", (NAME,), "")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def issue(storage: CertificateStorage, key: bytes) -> bytes:
    """A certificate for the staged key, by an authority of the test's own."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        Encoding,
        load_pem_private_key,
    )

    private = load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp256r1"
    subject = x509.Name([])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), True)
        .sign(private, SHA256())
        .public_bytes(Encoding.PEM)
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def obtained(storage: CertificateStorage) -> bytes:
    key, _ = storage.stage(ORDER)
    storage.install(issue(storage, key))
    return key


def test_nothing_but_labgate_reads_it(tmp_path: Path) -> None:
    state = tmp_path / "var" / "state"
    storage = CertificateStorage(state, NAME)
    obtained(storage)
    storage.save_state(RenewalState(0.5))
    for path in state.rglob("*"):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    assert load_pair(storage.cert, storage.key).names == (NAME,)


def test_a_pair_is_exchanged_as_a_whole(tmp_path: Path) -> None:
    storage = CertificateStorage(tmp_path, NAME)
    keys = [obtained(storage) for _ in range(4)]
    assert storage.key.read_bytes() == keys[-1]
    assert storage.folder.is_symlink()
    home = tmp_path / "certificates" / ".obtained" / NAME
    # The one before stays, for readers in between; older ones go.
    assert len([path for path in home.iterdir() if path.is_dir()]) == 2


def test_a_folder_made_by_hand_is_kept(tmp_path: Path) -> None:
    storage = CertificateStorage(tmp_path, NAME)
    storage.folder.mkdir(parents=True)
    (storage.folder / "fullchain.pem").write_text("mine")
    obtained(storage)
    home = tmp_path / "certificates" / ".obtained" / NAME
    (found,) = home.glob("found-*")
    assert (found / "fullchain.pem").read_text() == "mine"


def test_a_wrong_chain_changes_nothing(tmp_path: Path) -> None:
    storage = CertificateStorage(tmp_path, NAME)
    obtained(storage)
    before = storage.cert.read_bytes()
    storage.stage(ORDER)
    chain = trustme.CA().issue_cert(NAME).cert_chain_pems[0].bytes()
    with pytest.raises(StartError, match="do not belong together"):
        storage.install(chain)
    assert storage.cert.read_bytes() == before


def test_an_order_is_taken_up_with_its_key(tmp_path: Path) -> None:
    storage = CertificateStorage(tmp_path, NAME)
    key, order = storage.stage(ORDER)
    assert order.url == ""
    storage.save_order(PendingOrder(ORDER.directory, ORDER.names, "", "https://ca.example/order/1"))
    again, order = storage.stage(ORDER)
    assert (again, order.url) == (key, "https://ca.example/order/1")
    other, order = storage.stage(PendingOrder(ORDER.directory, (NAME, "b.example.org"), ""))
    assert other != key
    assert order.url == ""


def test_a_failure_to_install_leaves_the_order_pending(tmp_path: Path) -> None:
    """The CA has counted the certificate: the next attempt resumes the order, with its key."""
    storage = CertificateStorage(tmp_path, NAME)
    before = obtained(storage)
    key, _ = storage.stage(ORDER)
    placed = PendingOrder(ORDER.directory, ORDER.names, "", "https://ca.example/order/2")
    storage.save_order(placed)
    chain = issue(storage, key)
    obstacle = tmp_path / "certificates" / ".obtained" / NAME / "link" / "in the way"
    obstacle.mkdir(parents=True)
    with pytest.raises(OSError, match="link"):
        storage.install(chain)
    assert storage.key.read_bytes() == before
    assert storage.stage(ORDER) == (key, placed)
    shutil.rmtree(obstacle.parent)
    assert storage.install(chain).names == (NAME,)
    assert storage.key.read_bytes() == key
    assert storage.stage(ORDER)[1] == ORDER, "nothing is pending any more"


def test_the_lock(tmp_path: Path) -> None:
    with (
        CertificateStorage(tmp_path, NAME).locked() as first,
        CertificateStorage(tmp_path, NAME).locked() as second,
    ):
        assert (first, second) == (True, False)
    with CertificateStorage(tmp_path, NAME).locked() as third:
        assert third


def test_memory(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "renewal.json"
    state = RenewalState(0.25, challenge="http-01").after_failure("why", NOW, NOW)
    save_state(file, state)
    assert load_state(file) == state
    assert (state.failures, state.failed_attempts.last, state.not_before) == (1, NOW, NOW)
    assert state.after_success("", "ca").challenge == "http-01"
    assert state.after_success("tls-alpn-01", "ca").failures == 0
    for damaged in ("", "[]", "{}", '{"random": 1, "x": 2}'):
        file.write_text(damaged)
        assert load_state(file).failures == 0


def test_proofs_come_and_go(tmp_path: Path) -> None:
    given: dict[str, bool] = {}
    answers = TlsAlpnResponder(
        tmp_path, lambda name, context: given.update({name: context is not None})
    )
    answers.scan()
    proofs = ChallengeSolver(tmp_path)
    proofs.present_http("token_-1", "token_-1.thumb")
    proofs.present_tls_alpn(NAME, "token.thumb")
    proofs.present_tls_alpn("192.0.2.7", "token.thumb")
    assert (challenge_folder(tmp_path) / "token_-1").read_text() == "token_-1.thumb"
    answers.scan()
    address = server_name("192.0.2.7")
    assert address == "7.2.0.192.in-addr.arpa"
    assert given == {NAME: True, address: True}
    proofs.clean_up()
    answers.scan()
    assert given == {NAME: False, address: False}
    assert not list(challenge_folder(tmp_path).iterdir())


def test_a_token_cannot_climb(tmp_path: Path) -> None:
    for token in ("../x", "a/b", "", "a.b", "."):
        with pytest.raises(ValueError, match="is not a token"):
            ChallengeSolver(tmp_path).present_http(token, "x")


async def test_a_damaged_proof_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once, and what is whole is found beside it and after it."""
    monkeypatch.setattr(solvers, "SCAN_SECONDS", 0.01)
    damaged = challenge_folder(tmp_path) / f"{NAME}.alpn.pem"
    damaged.parent.mkdir()
    damaged.write_text("half")
    given: asyncio.Queue[str] = asyncio.Queue()
    answers = TlsAlpnResponder(tmp_path, lambda name, _: given.put_nowait(name))
    ChallengeSolver(tmp_path).present_tls_alpn("beside.example.org", "token.thumb")
    answers.scan()
    assert given.get_nowait() == "beside.example.org"
    looking = asyncio.ensure_future(answers.run())
    try:
        ChallengeSolver(tmp_path).present_tls_alpn("after.example.org", "token.thumb")
        assert await asyncio.wait_for(given.get(), 30) == "after.example.org"
        assert not looking.done()
    finally:
        looking.cancel()
    (warning,) = caplog.records
    assert warning.getMessage().startswith(f"The challenge {damaged} cannot be used: ")
