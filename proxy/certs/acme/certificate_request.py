"""Which certificate to obtain, and how, from the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proxy.certs.sources import hosts_of
from proxy.config.certificate_settings import AcmeSettings
from proxy.config.settings import Settings


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """One certificate to obtain.

    Attributes:
        names: All in one certificate, the canonical one first.
        challenge_types: That the configuration allows, in the order they are tried.
        state_folder: Of certificates, accounts and challenges.
        acme: Which CA and account.
    """

    names: tuple[str, ...]
    challenge_types: tuple[str, ...]
    state_folder: Path
    acme: AcmeSettings


def certificate_request_of(settings: Settings) -> CertificateRequest:
    """The request for one certificate with every name of the site."""
    names = tuple(hosts_of(settings))
    challenge_types = tuple(
        challenge_type
        for challenge_type in settings.acme.challenges
        if challenge_type != "http-01" or settings.http_port
    )
    return CertificateRequest(names, challenge_types, settings.state_folder, settings.acme)
