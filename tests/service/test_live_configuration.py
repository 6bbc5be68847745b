"""A reload after a file of the configuration before has gone; others: tests/e2e/test_reload.py."""

from __future__ import annotations

from pathlib import Path

import trustme

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.service.live_configuration import LiveConfiguration


async def test_the_authority_of_the_upstream_was_replaced(tmp_path: Path) -> None:
    def trusting(name: str) -> Settings:
        upstream = {"url": "https://127.0.0.1:8888", "ca": tmp_path / name}
        return Settings.model_validate({"listen": {"tls": False}, "upstream": upstream})

    before, after = tmp_path / "before.pem", tmp_path / "after.pem"
    trustme.CA().cert_pem.write_to_path(before)
    app = Application(trusting("before.pem"), access_log=False)
    configuration = LiveConfiguration(
        trusting("before.pem"), lambda: trusting("after.pem"), "serve"
    )
    before.rename(after)
    outcome = await configuration.reload(app, "the test")
    assert (outcome.refused, outcome.changed) == ("", ("upstream.ca",))
    assert app.upstream == trusting("after.pem").upstream.address


async def test_a_public_name_that_comes_behind_a_local_one_is_warned_of(tmp_path: Path) -> None:
    """Its certificate is the development CA's, which browsers do not know."""

    def named(*domains: str) -> Settings:
        return Settings.model_validate(
            {
                "site": {"domains": domains},
                "state": {"folder": tmp_path},
                "upstream": {"url": "http://127.0.0.1:1"},
            }
        )

    wanted = [named("localhost", "lab.example.org"), named("localhost", "lab.example.org")]
    app = Application(named("localhost"), access_log=False)
    configuration = LiveConfiguration(named("localhost"), wanted.pop, "serve")
    remark, _ = (await configuration.reload(app, "the test")).remarks
    assert remark.startswith("lab.example.org has a development certificate")
    assert (await configuration.reload(app, "the test")).remarks == ()


async def test_where_nothing_answers_yet_is_told() -> None:
    """Of what leads elsewhere than before, as at a start."""

    def leading(site: str, *routes: str) -> Settings:
        made = [{"path": f"/{at}", "upstream": url} for at, url in enumerate(routes)]
        return Settings.model_validate(
            {"listen": {"tls": False}, "upstream": {"url": site}, "routes": made}
        )

    before = leading("unix:/before", "unix:/kept")
    after = leading("unix:/after", "unix:/kept", "unix:/new")
    app = Application(before, access_log=False)
    app.connect_to(before.upstream.address)
    configuration = LiveConfiguration(before, lambda: after, "serve")
    remarks = (await configuration.reload(app, "the test")).remarks
    assert [said for said in remarks if "nothing answers" in said] == [
        f"nothing answers at {where} yet; requests get 503 until it does"
        for where in ("unix:/new", "unix:/after")
    ]
    assert (await configuration.reload(app, "the test")).remarks == ()
