"""Which files serve which configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.certs import files
from proxy.certs.files import load_pair
from proxy.certs.sources import sources_of
from proxy.config.settings import Settings
from proxy.errors import StartError
from tests.certificates import pair


def settings(tmp_path: Path, **sections: Any) -> Settings:
    given = {"state": {"folder": tmp_path / "state"}, "site": {"domains": ["a.example"]}}
    return Settings.model_validate(given | sections)


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_given_pairs_and_no_others(tmp_path: Path) -> None:
    tls = {"cert": ["/x/1.pem", "/etc/letsencrypt/live/b/2.pem"], "key": ["/x/1.key", "/x/2.key"]}
    first, second = sources_of(settings(tmp_path, tls=tls))
    assert (first.kind, first.cert, first.key) == ("files", Path("/x/1.pem"), Path("/x/1.key"))
    assert (second.kind, second.deferred) == ("certbot", False)


def test_localhost_gets_a_development_certificate(tmp_path: Path) -> None:
    (source,) = sources_of(settings(tmp_path, site={"domains": ["localhost", "a.localhost"]}))
    assert source.kind == "development"
    assert source.make is not None
    source.make()
    assert source.present
    assert files.load_pair(source.cert, source.key).covers("a.localhost")


def test_certbots_folders(tmp_path: Path) -> None:
    domains = ["a.example", "b.example:8443", "a.example:444"]
    first, second = sources_of(settings(tmp_path, site={"domains": domains}))
    assert first.cert == files.LETSENCRYPT / "a.example" / "fullchain.pem"
    assert (first.kind, first.name, first.optional) == ("certbot", "a.example", False)
    assert (second.name, second.optional) == ("b.example", True)


def test_a_pair_obtained_through_labgate_is_deferred(tmp_path: Path) -> None:
    """certbot's challenge is answered by labgate, which therefore has to run first."""
    (source,) = sources_of(settings(tmp_path, acme={"webroot": tmp_path}))
    assert (source.kind, source.deferred) == ("certbot", True)
    given = {"cert": ["/x/1.pem"], "key": ["/x/1.key"]}
    (source,) = sources_of(settings(tmp_path, acme={"webroot": tmp_path}, tls=given))
    assert (source.kind, source.deferred) == ("files", True)


def test_what_labgate_obtained(tmp_path: Path) -> None:
    (tmp_path / "state" / "certificates").mkdir(parents=True)
    cert, key = pair(tmp_path / "state" / "certificates" / "a.example", "a.example")
    (source,) = sources_of(settings(tmp_path))
    assert (source.kind, source.cert, source.key) == ("ACME", cert, key)


def test_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "c"))
    assert sources_of(settings(tmp_path))[0].kind == "certbot"
    cert, key = pair(tmp_path / "c", "a.example")
    (source,) = sources_of(settings(tmp_path))
    assert (source.kind, source.cert, source.key) == ("credentials", cert, key)
    (named,) = sources_of(settings(tmp_path, tls={"cert": [cert], "key": [key]}))
    assert named.kind == "credentials"


def test_credentials_that_may_not_be_looked_at_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a folder of another user's: reading them says what is wrong."""
    folder = tmp_path / "c"
    folder.symlink_to(folder)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    (source,) = sources_of(settings(tmp_path))
    assert source.kind == "credentials"
    with pytest.raises(StartError, match="fullchain"):
        load_pair(source.cert, source.key)
