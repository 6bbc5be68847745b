"""``labgate cert obtain`` and ``renew``: what they refuse before any CA is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.certs.acme.storage import CertificateStorage
from proxy.certs.sources import sources_of
from proxy.cli.arguments import parse_arguments
from proxy.cli.obtain import obtain
from proxy.config.certificate_settings import (
    LETSENCRYPT_DIRECTORY,
    LETSENCRYPT_STAGING,
    AcmeSettings,
)
from proxy.config.settings import Settings
from proxy.errors import StartError

NAME = "lab.example.org"


def settings(folder: Path, **sections: dict[str, Any]) -> Settings:
    given: dict[str, Any] = {
        "site": {"domains": [NAME]},
        "state": {"folder": folder},
        "acme": {"email": "me@example.org"},
    }
    return Settings.model_validate(given | sections)


@pytest.mark.parametrize(
    ("sections", "exit_code", "said"),
    [
        ({"site": {"domains": ["localhost"]}}, 2, "name a public one with --domain"),
        ({"listen": {"tls": False}}, 2, "needs no certificate"),
        ({"acme": {}}, 2, "give --email"),
        (
            {"tls": {"cert": ["/x/fullchain.pem"], "key": ["/x/privkey.pem"]}},
            1,
            "somebody else renews",
        ),
    ],
)
def test_what_is_not_for_acme(
    tmp_path: Path, sections: dict[str, Any], exit_code: int, said: str
) -> None:
    with pytest.raises(StartError, match=said) as raised:
        obtain(settings(tmp_path, **sections), due_only=False, force=True)
    assert raised.value.exit_code == exit_code


def test_nowhere_to_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"cannot be kept in .*state\.folder"):
        obtain(settings(tmp_path / "file"), due_only=False, force=False)


def test_an_email_makes_labgate_the_one_that_obtains(tmp_path: Path) -> None:
    """For the first name, with all the others in the same certificate."""
    domains = {"domains": [NAME, "www.example.org"]}
    first, second = sources_of(settings(tmp_path, site=domains))
    assert (first.kind, first.deferred, first.optional) == ("ACME", True, False)
    assert first.cert == CertificateStorage(tmp_path, NAME).cert
    assert (second.kind, second.optional) == ("certbot", True)
    first, _ = sources_of(settings(tmp_path, site=domains, acme={}))
    assert (first.kind, first.deferred) == ("certbot", False)


def test_the_flags() -> None:
    given = parse_arguments(
        ["cert", "renew", "--force", "--email", "a@b.example", "--domain", NAME]
    )
    assert (given.action, given.force) == ("renew", True)
    assert given.flags == {"acme": {"email": "a@b.example"}, "site": {"domains": [NAME]}}
    for command in (["up"], ["serve"], ["cert", "obtain"], ["cert", "show"]):
        given = parse_arguments([*command, "--email", "a@b.example", "--acme-directory", "staging"])
        assert given.flags["acme"] == {"email": "a@b.example", "directory": "staging"}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"email": "nobody"}, "is not a mail address"),
        ({"email": "a@b, c@d"}, "is not a mail address"),
        ({"directory": "http://ca.example/dir"}, "https:// address of an ACME directory"),
        ({"directory": "letsencrypt"}, "https:// address of an ACME directory"),
        ({"eab_kid": "x"}, "give both or neither"),
        ({"challenges": ["dns-01"]}, "http-01"),
    ],
)
def test_wrong_settings(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        AcmeSettings.model_validate(section)


def test_the_cas_by_name() -> None:
    assert AcmeSettings().directory == LETSENCRYPT_DIRECTORY
    assert AcmeSettings.model_validate({"directory": "staging"}).directory == LETSENCRYPT_STAGING
    listed = AcmeSettings.model_validate({"challenges": "tls-alpn-01, http-01"})
    assert listed.challenges == ("tls-alpn-01", "http-01")
