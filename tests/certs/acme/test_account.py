"""Accounts at the CA: registered once, registered again, bound to an external one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from proxy.app import Application
from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.acme.problems import ObtainError
from proxy.config.settings import Settings
from tests.certs.acme.issuance import (
    Steps,
    obtain,
    settings_for,
)
from tests.e2e.programs import free_port
from tests.pebble import pebble


async def test_it_is_kept(labgate: Application, settings: Settings) -> None:
    request, steps = certificate_request_of(settings), Steps()
    await obtain(request)
    # An account needs no second mail address.
    unnamed = replace(request, acme=request.acme.model_copy(update={"email": ""}))
    await obtain(unnamed, steps)
    assert not steps.about("registering")


async def test_without_an_email(settings: Settings) -> None:
    request = certificate_request_of(settings)
    request = replace(request, acme=request.acme.model_copy(update={"email": ""}))
    with pytest.raises(ObtainError, match="--email"):
        await obtain(request)


async def test_a_ca_that_has_forgotten_it(tmp_path: Path, ports: tuple[int, int]) -> None:
    http, https = free_port(), free_port()
    with pebble(tmp_path / "ca", http_port=http, tls_port=https) as (authority, _):
        settings = settings_for(tmp_path / "state", authority, (http, https))
        app = Application(settings, access_log=False, renew=False)
        await app.start()
        try:
            request, steps = certificate_request_of(settings), Steps()
            first = await obtain(request)
            authority.stop()
            authority.start()
            second = await obtain(request, steps)
        finally:
            await app.stop()
    assert steps.about("forgotten the account")
    assert first.serial != second.serial


async def test_external_account_binding(tmp_path: Path) -> None:
    http, https = free_port(), free_port()
    key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
    with pebble(tmp_path / "ca", http_port=http, tls_port=https, eab={"kid-1": key}) as (ca, _):
        state = tmp_path / "state"
        plain = settings_for(state, ca, (http, https))
        with pytest.raises(ObtainError, match=r"acme\.eab_kid"):
            await obtain(certificate_request_of(plain))
        wrong = settings_for(state, ca, (http, https), eab_kid="kid-1", eab_hmac_key="ÄÖ")
        with pytest.raises(ObtainError, match="base64url"):
            await obtain(certificate_request_of(wrong))
        settings = settings_for(state, ca, (http, https), eab_kid="kid-1", eab_hmac_key=key)
        app = Application(settings, access_log=False, renew=False)
        await app.start()
        try:
            await obtain(certificate_request_of(settings))
        finally:
            await app.stop()


async def test_a_damaged_key(settings: Settings) -> None:
    with pytest.raises(ObtainError):  # nobody answers the challenges; the key is there then
        await obtain(certificate_request_of(settings))
    (key,) = settings.state_folder.rglob("account.key")
    key.write_text("half")
    with pytest.raises(ObtainError, match="is damaged"):
        await obtain(certificate_request_of(settings))
