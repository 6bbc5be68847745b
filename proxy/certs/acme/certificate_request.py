"""What is to be obtained, as the configuration says it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from proxy.certs.sources import hosts_of
from proxy.settings import AcmeSettings, Settings


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate, and how.

    Attributes:
        names: All in one certificate, the canonical one first.
        kinds: Challenges that the configuration allows, in the order they are tried.
        state_folder: Where everything is kept.
        acme: Which CA, and as whom.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    state_folder: Path
    acme: AcmeSettings


def wanted_of(settings: Settings) -> Wanted:
    """The certificate for every name of the site."""
    kinds = [kind for kind in settings.acme.challenges if kind != "http-01" or settings.http_port]
    names = tuple(hosts_of(settings))
    return Wanted(names, tuple(kinds), settings.state_folder, settings.acme)
