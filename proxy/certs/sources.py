"""Which files the configuration names, and who looks after them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from proxy.errors import StartError
from proxy.settings import Settings

from .development_ca import development_pair
from .files import LETSENCRYPT, acme_pair, letsencrypt_pair, load_pair

Kind = Literal["files", "certbot", "credentials", "development", "ACME"]


@dataclass(frozen=True, slots=True)
class Source:
    """Two files that a certificate and its key come from.

    Attributes:
        name: The first name the certificate is for; empty until it was read.
        kind: Who looks after the files.
        cert: PEM file, full chain.
        key: PEM file.
        awaited: It can only be obtained while labgate serves (ACME, or certbot's webroot):
            without it labgate starts all the same, with a temporary certificate.
        optional: Another source's certificate may be for the same name, so the files may
            be missing.
        make: Makes the files, or renews them when they are due.
    """

    name: str
    kind: Kind
    cert: Path
    key: Path
    awaited: bool = False
    optional: bool = False
    make: Callable[[], object] | None = None

    @property
    def present(self) -> bool:
        """Whether the certificate is there; also when it is not known, which is told later."""
        return _present(self.cert)

    @property
    def mend(self) -> str:
        """What to do when the certificate is not renewed."""
        match self.kind:
            case "certbot":
                return "`certbot renew --dry-run` says what is in the way."
            case "credentials":
                return "Renew it, then restart labgate: it gets a credential's new content then."
            case "ACME" | "development":
                return "`labgate cert show` tells the last error."
            case "files":
                return "Replace both files; labgate notices by itself."


def hosts_of(settings: Settings) -> list[str]:
    """Every public name that needs a certificate, canonical first."""
    return list(dict.fromkeys(origin.host for origin in settings.origins))


def sources_of(settings: Settings) -> list[Source]:
    """The configured pairs, the default first.

    Without any: a development one for localhost, otherwise systemd's credentials, or those
    of certbot and those that labgate obtained itself.
    """
    hosts = hosts_of(settings)
    if settings.tls.cert:
        files = zip(settings.tls.cert, settings.tls.key, strict=True)
        return [_given(settings, *pair) for pair in files]
    if settings.local:
        folder = settings.state_folder
        make = partial(development_pair, folder, hosts)
        cert, key = folder / "cert.pem", folder / "key.pem"
        return [Source(hosts[0], "development", cert, key, make=make)]
    credentials = credential_pair()
    if credentials is not None:
        return [Source(hosts[0], "credentials", *credentials)]
    # certbot keeps one folder a certificate, which may be for several names.
    return [_obtained(settings, host, optional=number > 0) for number, host in enumerate(hosts)]


def credential_pair() -> tuple[Path, Path] | None:
    """``LoadCredential=fullchain.pem:…`` and ``privkey.pem:…`` of the systemd unit."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    cert, key = Path(folder) / "fullchain.pem", Path(folder) / "privkey.pem"
    return (cert, key) if cert.exists() and key.exists() else None


def _given(settings: Settings, cert: Path, key: Path) -> Source:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and cert.is_relative_to(folder):
        return Source("", "credentials", cert, key)
    kind: Kind = "certbot" if cert.is_relative_to(LETSENCRYPT) else "files"
    return Source("", kind, cert, key, awaited=settings.acme.webroot is not None)


def _obtained(settings: Settings, host: str, *, optional: bool) -> Source:
    """The pair of certbot for a host, or ours where that is none: obtained, or to be obtained.

    One of ours is for all names, so it is the first name's alone that is to be obtained.
    """
    cert, key = letsencrypt_pair(host)
    own_cert, own_key = acme_pair(settings.state_folder, host)
    ours = _present(own_cert) or (bool(settings.acme.email) and not optional)
    if ours and not _usable(cert, key):
        return Source(host, "ACME", own_cert, own_key, awaited=True, optional=optional)
    awaited = settings.acme.webroot is not None
    return Source(host, "certbot", cert, key, awaited=awaited, optional=optional)


def _usable(cert: Path, key: Path) -> bool:
    try:
        load_pair(cert, key)
    except StartError:
        return False
    return True


def _present(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        # /etc/letsencrypt/live is root's alone.
        return True
    return True
