"""What the tests of issuance share: settings, one attempt, and waiting for its result."""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from proxy.certs.acme.certificate_request import CertificateRequest, certificate_request_of
from proxy.certs.acme.issuer import issue
from proxy.certs.files import CertificatePair
from proxy.config.settings import Settings
from tests.certs.acme.scripted_ca import ScriptedCa
from tests.pebble import Pebble

NAME, OTHER = "lab.example.org", "www.example.org"
PATIENCE_SECONDS = 60.0


class Steps(list[str]):
    """The steps that an attempt reports."""

    def __call__(self, line: str) -> None:
        self.append(line)

    def about(self, part: str) -> list[str]:
        return [line for line in self if part in line]


def settings_for(
    state: Path, authority: Pebble | ScriptedCa, ports: tuple[int, int], **acme: Any
) -> Settings:
    return Settings.model_validate(
        {
            "site": {"domains": [NAME, OTHER]},
            "listen": {"bind": ["127.0.0.1"], "http_port": ports[0], "https_port": ports[1]},
            "state": {"folder": state},
            "acme": {
                "email": "me@example.org",
                "directory": authority.directory,
                "ca_file": authority.ca_file,
                **acme,
            },
        }
    )


def through(scripted: ScriptedCa, settings: Settings) -> CertificateRequest:
    request = certificate_request_of(settings)
    update = {"directory": scripted.directory, "ca_file": scripted.ca_file}
    return replace(request, acme=request.acme.model_copy(update=update))


async def obtain(request: CertificateRequest, steps: Steps | None = None) -> CertificatePair:
    report = steps if steps is not None else Steps()
    return await asyncio.to_thread(issue, request, report, threading.Event())


async def served(port: int, trust: ssl.SSLContext, name: str = NAME) -> str:
    """The serial number of the certificate a client gets that trusts Pebble."""
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=trust, server_hostname=name, limit=2**16
    )
    found = writer.get_extra_info("peercert")
    writer.close()
    return str(found["serialNumber"])


async def until_true(condition: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)
