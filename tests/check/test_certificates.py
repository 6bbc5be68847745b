from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from proxy.certs.development_ca import development_pair
from proxy.check.certificates import check_certificates
from proxy.check.verdict import Level, Verdict
from proxy.config.settings import Settings

DOMAIN = "lab.example.org"


def checked(folder: Path, domain: str = DOMAIN, **sections: Any) -> list[Verdict]:
    values = {"site": {"domains": [domain]}, "state": {"folder": folder}, **sections}
    return list(check_certificates(Settings.model_validate(values)))


def pair(folder: Path, name: str = DOMAIN, days: float = 60) -> dict[str, list[Path]]:
    """The files of a certificate: ``[tls]``."""
    until = datetime.now(UTC) + timedelta(days=days, hours=1)
    leaf = trustme.CA().issue_cert(name, not_after=until)
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return {"cert": [cert], "key": [key]}


def test_a_good_pair(tmp_path: Path) -> None:
    (verdict,) = checked(tmp_path, tls=pair(tmp_path))
    assert verdict.level is Level.GOOD
    assert verdict.text == f"{DOMAIN} (files): 60 days left, {tmp_path / 'cert.pem'}"


def test_one_that_expires_soon_says_what_to_do(tmp_path: Path) -> None:
    (verdict,) = checked(tmp_path, tls=pair(tmp_path, days=3))
    assert verdict.level is Level.REMARK
    assert "3 days left" in verdict.text
    assert "Replace both files" in verdict.text


def test_an_expired_one_is_a_fault(tmp_path: Path) -> None:
    (verdict,) = checked(tmp_path, tls=pair(tmp_path, days=-1))
    assert verdict.level is Level.FAULT


def test_a_name_that_it_is_not_for(tmp_path: Path) -> None:
    verdicts = checked(tmp_path, tls=pair(tmp_path, "other.example.org"))
    assert [verdict.level for verdict in verdicts] == [Level.GOOD, Level.FAULT]
    assert f"No certificate is for {DOMAIN}" in verdicts[1].text


def test_files_that_are_not_there(tmp_path: Path) -> None:
    missing = {"cert": [tmp_path / "a"], "key": [tmp_path / "b"]}
    (verdict,) = checked(tmp_path, tls=missing)
    assert verdict.level is Level.FAULT
    assert f"There is no certificate at {tmp_path / 'a'}" in verdict.text


def test_what_labgate_makes_itself_is_not_made_by_a_check(tmp_path: Path) -> None:
    (verdict,) = checked(tmp_path, "localhost")
    assert "makes a development certificate" in verdict.text
    (verdict,) = checked(tmp_path, acme={"email": "ada@example.org"})
    assert "labgate obtains it while it serves" in verdict.text
    assert list(tmp_path.iterdir()) == []


def test_a_development_certificate_that_lacks_a_name_is_made_anew(tmp_path: Path) -> None:
    made = development_pair(tmp_path, ["localhost"])
    routes = [
        {"domains": [name], "upstream": f"http://127.0.0.1:{port}"}
        for port, name in enumerate(("alone.localhost", "other.localhost"), 8901)
    ]
    (verdict,) = checked(tmp_path, "localhost", routes=routes[:1])
    assert verdict.level is Level.GOOD
    assert verdict.text == (
        f"localhost (development): not for alone.localhost, {made.cert}. At its start, or at a "
        "reload, labgate makes a new development certificate that also names alone.localhost."
    )
    (verdict,) = checked(tmp_path, "localhost", routes=routes)
    assert "also names alone.localhost, other.localhost." in verdict.text
    development_pair(tmp_path, ["localhost", "alone.localhost"])
    (verdict,) = checked(tmp_path, "localhost", routes=routes[:1])
    assert verdict.text.startswith("localhost, alone.localhost (development): ")


def test_without_tls_there_are_none(tmp_path: Path) -> None:
    assert checked(tmp_path, listen={"tls": False}) == []
