"""The certificate files that the configuration names, and the program that renews each."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proxy.errors import StartError

from .development_ca import development_pair
from .files import LETSENCRYPT, acme_pair, letsencrypt_pair, load_pair

if TYPE_CHECKING:
    from proxy.config.settings import Settings

NOT_YET_OBTAINED = (
    "There is none yet. While labgate serves, it asks the CA for it, and tries again when that "
    "fails."
)

SourceKind = Literal["files", "certbot", "credentials", "development", "ACME"]


@dataclass(frozen=True, slots=True)
class CertificateSource:
    """Two files that a certificate and its key come from.

    Attributes:
        name: The first name in the certificate; empty until it was read.
        kind: Who writes the files.
        cert: PEM file, full chain.
        key: PEM file.
        deferred: It can only be obtained while labgate serves (ACME, or certbot's webroot),
            so labgate starts without it, with a temporary certificate.
        optional: The files may be missing, because another certificate may cover the name.
        make: Writes the files, or renews them when due; None if somebody else does.
        passphrase: Of the key; empty for none.
    """

    name: str
    kind: SourceKind
    cert: Path
    key: Path
    deferred: bool = False
    optional: bool = False
    make: Callable[[], object] | None = None
    passphrase: str = ""

    @property
    def present(self) -> bool:
        """Whether the certificate's file exists; True if this user may not look."""
        return _present(self.cert)

    @property
    def pending(self) -> str:
        """What is said of a certificate that labgate has yet to obtain; empty for all others."""
        return NOT_YET_OBTAINED if self.kind == "ACME" and not self.present else ""

    @property
    def remedy(self) -> str:
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


def sources_of(settings: Settings) -> list[CertificateSource]:
    """The sources of all certificates, the default first.

    The configured pairs; without any a development certificate for localhost; otherwise
    systemd's credentials; otherwise for each name certbot's pair, or the one that labgate obtains.
    """
    hosts = hosts_of(settings)
    if settings.tls.cert:
        files = zip(settings.tls.cert, settings.tls.key, strict=True)
        return [_configured_source(settings, *pair) for pair in files]
    if settings.local:
        folder = settings.state_folder
        make = partial(development_pair, folder, hosts)
        cert, key = folder / "cert.pem", folder / "key.pem"
        return [CertificateSource(hosts[0], "development", cert, key, make=make)]
    credentials = credential_pair()
    if credentials is not None:
        return [CertificateSource(hosts[0], "credentials", *credentials)]
    # A folder of certbot holds one certificate, which may be for several names.
    return [
        _obtained_source(settings, host, optional=number > 0) for number, host in enumerate(hosts)
    ]


def credential_pair() -> tuple[Path, Path] | None:
    """``LoadCredential=fullchain.pem:…`` and ``privkey.pem:…`` of the systemd unit."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    cert, key = Path(folder) / "fullchain.pem", Path(folder) / "privkey.pem"
    return (cert, key) if _present(cert) and _present(key) else None


def _configured_source(settings: Settings, cert: Path, key: Path) -> CertificateSource:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and cert.is_relative_to(folder):
        return CertificateSource("", "credentials", cert, key)
    kind: SourceKind = "certbot" if cert.is_relative_to(LETSENCRYPT) else "files"
    return CertificateSource("", kind, cert, key, deferred=settings.acme.webroot is not None)


def _obtained_source(settings: Settings, host: str, *, optional: bool) -> CertificateSource:
    """Certbot's pair for a host; without a usable one, the pair that labgate obtains by ACME.

    labgate obtains one certificate for all names, kept under the first.
    """
    cert, key = letsencrypt_pair(host)
    own_cert, own_key = acme_pair(settings.state_folder, host)
    by_acme = _present(own_cert) or (bool(settings.acme.email) and not optional)
    if by_acme and not _usable(cert, key):
        return CertificateSource(host, "ACME", own_cert, own_key, deferred=True, optional=optional)
    deferred = settings.acme.webroot is not None
    return CertificateSource(host, "certbot", cert, key, deferred=deferred, optional=optional)


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
        # Only root may look into /etc/letsencrypt/live.
        return True
    return True
