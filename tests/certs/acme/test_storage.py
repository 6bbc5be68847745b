"""The files of one certificate: pending, installed as a whole, locked."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.certs.acme.renewal_state import RenewalState
from proxy.certs.acme.storage import CertificateStorage, PendingOrder
from proxy.certs.files import load_pair
from proxy.errors import StartError
from tests.certificates import certificate_for
from tests.certs.acme.disks import small_disk

NAME = "lab.example.org"
ORDER = PendingOrder("https://ca.example/dir", (NAME,), "")


def issue(key: bytes) -> bytes:
    """A certificate for the pending order's key."""
    private = load_pem_private_key(key, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    assert private.curve.name == "secp256r1"
    return certificate_for(private.public_key(), x509.SubjectAlternativeName([x509.DNSName(NAME)]))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def obtained(storage: CertificateStorage) -> bytes:
    key, _ = storage.stage(ORDER)
    storage.install(issue(key))
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


def test_a_folder_made_by_hand_is_moved_aside(tmp_path: Path) -> None:
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


def test_a_pending_order_is_resumed_with_its_key(tmp_path: Path) -> None:
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
    chain = issue(key)
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


@pytest.mark.parametrize("first", [True, False], ids=["the first", "a renewal"])
def test_a_crash_before_the_pair_is_in_service_leaves_the_order_pending(
    tmp_path: Path, first: bool
) -> None:
    storage = CertificateStorage(tmp_path, NAME)
    if not first:
        obtained(storage)
    key, _ = storage.stage(ORDER)
    placed = PendingOrder(ORDER.directory, ORDER.names, "", "https://ca.example/order/2")
    storage.save_order(placed)
    home = tmp_path / "certificates" / ".obtained" / NAME
    (home / "next").rename(home / "0A1B")
    assert storage.stage(ORDER) == (key, placed)
    assert storage.install(issue(key)).names == (NAME,)
    assert storage.key.read_bytes() == key
    assert storage.stage(ORDER)[1] == ORDER, "nothing is pending any more"


def test_a_crash_after_the_pair_is_in_service_leaves_nothing_pending(tmp_path: Path) -> None:
    storage = CertificateStorage(tmp_path, NAME)
    obtained(storage)
    content = (
        '{"directory": "https://ca.example/dir", "names": ["lab.example.org"], "profile": "", '
    )
    left = storage.folder.resolve() / "order.json"
    left.write_text(content + '"url": "https://ca.example/order/1"}')
    assert storage.stage(ORDER)[1] == ORDER
    assert not left.exists(), "it would be taken for pending after the next renewal"


def test_a_link_that_cannot_be_replaced_leaves_the_order_pending(tmp_path: Path) -> None:
    """Another file system is in the way, where no file can be moved to."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    storage = CertificateStorage(tmp_path, NAME)
    with small_disk(folder / ".obtained"):
        key, _ = storage.stage(ORDER)
        placed = PendingOrder(ORDER.directory, ORDER.names, "", "https://ca.example/order/2")
        storage.save_order(placed)
        with pytest.raises(OSError, match="cross-device"):
            storage.install(issue(key))
        assert storage.stage(ORDER) == (key, placed)
        assert storage.installed_pair() is None


def test_the_lock(tmp_path: Path) -> None:
    with (
        CertificateStorage(tmp_path, NAME).locked() as first,
        CertificateStorage(tmp_path, NAME).locked() as second,
    ):
        assert (first, second) == (True, False)
    with CertificateStorage(tmp_path, NAME).locked() as third:
        assert third
