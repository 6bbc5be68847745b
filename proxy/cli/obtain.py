"""``labgate cert obtain`` and ``renew``: one attempt now, printing every step."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from proxy.app import Application
from proxy.certs.acme.account import NO_EMAIL
from proxy.certs.acme.certificate_request import CertificateRequest, certificate_request_of
from proxy.certs.acme.issuer import issue
from proxy.certs.acme.problems import explain_files
from proxy.certs.acme.renewal_state import schedule_renewal
from proxy.certs.acme.storage import CertificateStorage, storage_of
from proxy.certs.sources import sources_of
from proxy.certs.status import read_status, status_file
from proxy.config.settings import Settings
from proxy.errors import StartError, UsageError
from proxy.net.port_holder import reachable
from proxy.runtime.daemon_thread import run_in_daemon_thread

from .run import run_in_event_loop

LOCK_TIMEOUT_SECONDS = 600.0
"""How long to wait for another process that asks the CA."""


def obtain(settings: Settings, *, due_only: bool, force: bool) -> int:
    """Obtain the certificate for every name of the site.

    Args:
        settings: The configuration of the labgate that serves it.
        due_only: Only if a renewal is due; otherwise only if there is no usable certificate.
        force: In any case.

    Returns:
        The exit code.

    Raises:
        StartError: Somebody else obtains this certificate, or the CA did not issue it.
    """
    _check(settings)
    try:
        return run_in_event_loop(
            lambda asked: _obtain(asked, due_only=due_only, force=force), settings
        )
    except OSError as error:
        raise StartError(explain_files(settings.state_folder, error)) from None
    except KeyboardInterrupt:
        _print("stopped; the next attempt goes on with the order")
        return 1


def _check(settings: Settings) -> None:
    """Make sure that labgate obtains this certificate by ACME.

    Raises:
        StartError: It does not: why, and the remedy.
    """
    domain = settings.domains[0]
    if not settings.listen.tls:
        raise UsageError("listen.tls is off, so labgate needs no certificate.")
    if settings.local:
        raise UsageError(
            f"No CA issues a certificate for {domain}: name a public one with --domain "
            "(or site.domains). For localhost labgate makes its own."
        )
    source = sources_of(settings)[0]
    if source.kind == "ACME":
        return
    if source.kind == "certbot" and not settings.tls.cert and not source.present:
        raise UsageError(NO_EMAIL)
    if source.kind == "certbot":
        raise StartError(
            f"certbot looks after {source.cert}: renew it with `certbot renew`, and labgate "
            f"notices. To let labgate do it, `certbot delete --cert-name {source.cert.parent.name}`"
            " and give --email."
        )
    raise StartError(
        f"The certificate is configured to be {source.cert}, which somebody else renews. Leave "
        "tls.cert and tls.key (or the credentials) out, and give --email."
    )


async def _obtain(settings: Settings, *, due_only: bool, force: bool) -> int:
    request = certificate_request_of(settings)
    storage = storage_of(request)
    deadline = asyncio.get_running_loop().time() + LOCK_TIMEOUT_SECONDS
    announced = False
    while True:
        with storage.locked() as free:
            if free:
                if not force and (reason := _reason_to_wait(request, storage, due_only=due_only)):
                    _print(reason)
                    return 0
                return await _issue(settings, request)
        if asyncio.get_running_loop().time() > deadline:
            raise StartError(
                "Another labgate with this state folder has been asking the CA for ten minutes. "
                "Its log says why; try again when it is done."
            )
        if not announced:
            _print("another labgate asks the CA at this moment; waiting for it")
            announced = True
        await asyncio.sleep(1)


def _reason_to_wait(
    request: CertificateRequest, storage: CertificateStorage, *, due_only: bool
) -> str:
    """Why the certificate is not to be obtained now; empty if it is."""
    now = datetime.now(UTC)
    pair = storage.installed_pair()
    if pair is None or pair.not_after <= now or not all(map(pair.covers, request.names)):
        return ""
    planned = schedule_renewal(request, pair, storage.load_state(), now)
    if due_only and planned.at <= now:
        return ""
    return (
        f"the certificate for {', '.join(pair.names)} is valid until "
        f"{pair.not_after:%Y-%m-%d %H:%M} UTC and will be renewed at {planned.at:%Y-%m-%d %H:%M} "
        f"UTC ({planned.reason}); `labgate cert renew --force` does it now"
    )


async def _issue(settings: Settings, request: CertificateRequest) -> int:
    async with _responder(settings) as here:
        stop = threading.Event()
        try:
            pair = await run_in_daemon_thread("acme", lambda: issue(request, _print, stop))
        finally:
            stop.set()
        if not here:
            _print(f"the running labgate puts {pair.cert} into service within seconds")
    return 0


@asynccontextmanager
async def _responder(settings: Settings) -> AsyncIterator[bool]:
    """Make sure that the CA's challenges are answered; yields True if by this process."""
    if read_status(status_file(settings.state_folder)).running and await _listens(settings):
        _print("the running labgate answers the CA's challenges")
        yield False
        return
    app = Application(settings, access_log=False, renew=False)
    try:
        await app.start()
        ports = [str(port) for port in (settings.http_port, settings.https_port) if port]
        _print(f"answering the CA's challenges here, on port {' and '.join(ports)}")
        yield True
        app.look_at_certificates()
    finally:
        await app.stop()


async def _listens(settings: Settings) -> bool:
    """Whether a server listens on the HTTPS port.

    After a crash the process in the status file may be another program's.
    """
    for address in settings.bind:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(reachable(address), settings.https_port)
            writer.close()
            return True
    return False


def _print(line: str) -> None:
    print(f"labgate: {line}", flush=True)
