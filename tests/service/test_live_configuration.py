"""A reload after a file of the configuration before has gone; others: tests/e2e/test_reload.py."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime.last_problems import keep_last_problems, last_problems
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
    why = "No such file or directory"
    assert [said for said in remarks if "nothing answers" in said] == [
        f"nothing answers at {where} yet ({why}); requests get 503 until it does"
        for where in ("unix:/new", "unix:/after")
    ]
    assert (await configuration.reload(app, "the test")).remarks == ()


def leading_to(url: str) -> Settings:
    return Settings.model_validate({"listen": {"tls": False}, "upstream": {"url": url}})


async def test_a_reload_that_is_accepted_ends_the_problem_of_one_that_was_refused() -> None:
    """Otherwise the status shows among the problems what was mended long ago."""
    keep_last_problems()
    before = leading_to("http://127.0.0.1:1")
    reads: list[Settings | StartError] = [before, StartError("listen.https_port is wrong.")]

    def read() -> Settings:
        if isinstance(one := reads.pop(), StartError):
            raise one
        return one

    app = Application(before, access_log=False)
    configuration = LiveConfiguration(before, read, "serve")
    logging.getLogger("labgate").warning("the certificate expires")
    await configuration.reload(app, "the test")
    refused = "reload refused: listen.https_port is wrong."
    assert refused in [problem.text for problem in last_problems()]
    assert (await configuration.reload(app, "the test")).refused == ""
    texts = [problem.text for problem in last_problems()]
    assert not [text for text in texts if refused == text or "stays in force" in text]
    assert "the certificate expires" in texts


class FailingReload(Application):
    """Cannot put a configuration into force that it has accepted."""

    async def prepare(self, *_: object, **__: object) -> Callable[[], None]:
        def apply() -> None:
            raise OSError("no more memory")

        return apply


class FailingConnection(Application):
    """Fails in what follows."""

    def connect_to(self, address: UpstreamAddress) -> None:
        raise OSError("no more memory")


@pytest.mark.parametrize("kind", [FailingReload, FailingConnection])
async def test_a_failure_of_what_was_accepted(
    kind: type[Application],
    sockets: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A service manager waits for the end of each reload."""
    before, after = leading_to("http://127.0.0.1:1"), leading_to("http://127.0.0.1:2")
    app = kind(before, access_log=False)
    configuration = LiveConfiguration(before, lambda: after, "serve")
    configuration.ready.set()
    monkeypatch.setenv("NOTIFY_SOCKET", str(sockets / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(sockets / "notify"))
        manager.settimeout(10)
        outcome = await configuration.reload(app, "the test")
        assert manager.recv(1000).startswith(b"RELOADING=1\n")
        assert manager.recv(1000).startswith(b"READY=1\nSTATUS=Reload failed: OSError(")
    assert outcome.failed == "OSError('no more memory'); the log has more."
    assert (outcome.refused, outcome.changed) == ("", ())
    assert configuration.settings is (before if kind is FailingReload else after)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.message for record in errors] == [
        "the reload failed",
        f"reload failed: {outcome.failed}",
        "Only a part of the configuration may be in force: reload it again, or restart.",
    ]
    assert errors[0].exc_info is not None
