"""Certificate pairs are checked before they are used, and the error names the file."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from proxy.certs.files import check_covered, letsencrypt_pair, load_pair
from proxy.errors import StartError
from proxy.runtime.owners import user_name
from tests.certificates import pair
from tests.confined import confined

NOBODY_UID = 65534
LOAD = """
import sys
from pathlib import Path
from proxy.certs.files import load_pair
from proxy.errors import StartError
try:
    load_pair(*map(Path, sys.argv[1:]))
except StartError as error:
    print(error)
"""


def test_a_good_pair(tmp_path: Path) -> None:
    loaded = load_pair(*pair(tmp_path, "lab.example.org", "*.wild.example", "127.0.0.1"))
    assert set(loaded.names) == {"lab.example.org", "*.wild.example", "127.0.0.1"}
    assert loaded.covers("lab.example.org")
    assert loaded.covers("a.wild.example")
    assert not loaded.covers("b.a.wild.example")
    assert not loaded.covers("wild.example")


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"no certificate at .*/none.pem.*--cert"):
        load_pair(tmp_path / "none.pem", tmp_path / "none.key")
    with pytest.raises(StartError, match=r"With --email YOU@EXAMPLE\.ORG labgate obtains one"):
        load_pair(*letsencrypt_pair("nowhere.example"))
    for address in ("192.0.2.7", "2001:db8::7"):
        with pytest.raises(StartError, match="an address needs a certificate of your own: name it"):
            load_pair(*letsencrypt_pair(address))


def test_a_key_of_somebody_else_names_its_owner_and_who_may_not_read_it(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "a.example")
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(key, NOBODY_UID, NOBODY_UID)
    key.chmod(0o600 if is_root else 0)
    said = confined(LOAD, str(cert), str(key))
    owner, mode = (NOBODY_UID, "0600") if is_root else (os.geteuid(), "0000")
    assert f"may not be read by {user_name(os.geteuid())}" in said
    assert f": it belongs to {user_name(owner)} and has mode {mode}. " in said
    assert ("Start labgate as root" in said) is not is_root
    assert ("chown root" in said) is is_root
    assert "LoadCredential" in said


def test_the_wrong_key(tmp_path: Path) -> None:
    cert, _ = pair(tmp_path / "a", "a.example")
    _, key = pair(tmp_path / "b", "b.example")
    with pytest.raises(StartError, match="do not belong together"):
        load_pair(cert, key)


def test_an_expired_certificate(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "a.example", days=1)
    with pytest.raises(StartError, match=r"expired on \d{4}-"):
        load_pair(cert, key, datetime.now(UTC) + timedelta(days=2))


@pytest.mark.parametrize("which", [0, 1])
def test_a_file_that_is_something_else(tmp_path: Path, which: int) -> None:
    files = pair(tmp_path, "a.example")
    files[which].write_text("hello")
    with pytest.raises(StartError, match=rf"{files[which].name} is not a PEM"):
        load_pair(*files)


def test_every_host_needs_a_certificate(tmp_path: Path) -> None:
    pairs = [load_pair(*pair(tmp_path / name, f"{name}.example")) for name in ("a", "b")]
    check_covered(pairs, ["a.example", "b.example"])
    with pytest.raises(StartError, match=r"No certificate is for c.example.*names a.example"):
        check_covered(pairs, ["c.example"])
    with pytest.raises(StartError, match=r"is for c.example \(\[\[routes\]\] #1 domains\): "):
        check_covered(pairs, ["c.example"], lambda _host: "[[routes]] #1 domains")


def test_no_ca_is_advised_for_a_name_that_none_certifies(tmp_path: Path) -> None:
    with pytest.raises(StartError) as caught:
        load_pair(*letsencrypt_pair("myhost"))
    assert "myhost is no name of the internet" in str(caught.value)
    assert "certbot" not in str(caught.value)
    cert, key = pair(tmp_path, "lab.example.org")
    with pytest.raises(StartError) as caught:
        check_covered([load_pair(cert, key)], ["myhost"])
    assert "No public CA certifies such a name" in str(caught.value)
    assert "certbot" not in str(caught.value)


def test_a_folder_in_place_of_a_file_has_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"Is a directory\. Name the right file with --cert"):
        load_pair(tmp_path, tmp_path)
