"""What a stranger, or another site's page, tries on a real Jupyter behind labgate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.programs import TOKEN, Jupyter, Labgate

pytestmark = [pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

NAVIGATES = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@dataclass
class Running:
    """labgate in front of a Jupyter, and the cookies of somebody who is logged in."""

    labgate: Labgate
    jupyter: Jupyter
    cookies: str

    def status(self, target: str, **fields: str) -> int:
        return self.labgate.ask("GET", target, Cookie=self.cookies, **fields).status


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("refused")
    with (
        Jupyter(folder) as jupyter,
        Labgate(folder, "serve", "--upstream", jupyter.upstream) as labgate,
    ):
        (jupyter.work / "secret.txt").write_text("the secret")
        fields = labgate.ask("GET", f"/lab?token={TOKEN}").fields
        cookies = [value.partition(";")[0] for value in fields.get_all("Set-Cookie", [])]
        yield Running(labgate, jupyter, "; ".join(cookies))


def test_a_referer_that_names_jupyter(running: Running) -> None:
    """``check_referer`` stands between /files and pages that embed them."""
    own = f"{running.labgate.origin}/lab"
    assert running.status("/files/secret.txt", Referer=own) == 200
    upstream = running.jupyter.upstream
    authority = upstream.removeprefix("http://")
    for referer in (upstream, f"{upstream}/lab", f"https://{authority}/", f"//{authority}"):
        assert running.status("/files/secret.txt", Referer=referer) == 403, referer
    assert running.status("/files/secret.txt", Referer="https://evil.example/") == 403
    assert running.status("/files/secret.txt") == 403


def test_a_link_to_jupyters_logout(running: Running) -> None:
    """Jupyter logs out by GET, so a link, or a redirect, anywhere would do."""

    def log_out(**fields: str) -> tuple[int, bool]:
        answer = running.labgate.ask("GET", "/logout", Cookie=running.cookies, **fields)
        cleared = answer.fields.get_all("Set-Cookie", [])
        return answer.status, any(value.startswith("username-") for value in cleared)

    for site in ("cross-site", "same-site"):
        assert log_out(**NAVIGATES, Sec_Fetch_Site=site) == (403, False)
    assert log_out() == (403, False)
    assert log_out(Referer="https://evil.example/") == (403, False)
    # What Lab's menu does: it opens the page, in browsers of today and of yesterday.
    assert log_out(**NAVIGATES, Sec_Fetch_Site="same-origin") == (200, True)
    assert log_out(Referer=f"{running.labgate.origin}/lab") == (200, True)


@pytest.mark.parametrize("path", ["/lab", "/api/contents", "/api", "/login", "/static/favicon.ico"])
def test_guesses_at_the_token(path: str, running: Running, tmp_path: Path) -> None:
    """Wrong tokens count wherever a right one would show, which is everywhere."""
    with Labgate(tmp_path, "serve", "--upstream", running.jupyter.upstream) as labgate:
        first = labgate.ask("GET", path, Authorization="token expired").status
        for _ in range(20):
            assert labgate.ask("GET", path, Authorization="token expired").status == first
        fields = labgate.ask("GET", f"/lab?token={TOKEN}").fields
        cookies = [value.partition(";")[0] for value in fields.get_all("Set-Cookie", [])]
        cookie = "; ".join(cookies)
        for number in range(20):
            stale = f"/lab?token=stale{number}"
            assert labgate.ask("GET", stale, Cookie=cookie).status == 200
        statuses = [labgate.ask("GET", f"{path}?token=x{n}").status for n in range(150)]
        assert statuses == [first] * 9 + [429] * 141
        assert labgate.log.count("lockout: too many failed logins") == 1
        # An open tab: its login and its token, as Lab sends them.
        token = f"token {TOKEN}"
        tab = {"Cookie": cookie, "Authorization": token}
        assert labgate.ask("GET", "/api/contents", **tab).status == 200
        xsrf = next(value for value in cookies if value.startswith("_xsrf=")).partition("=")[2]
        assert labgate.ask("POST", "/api/terminals", X_XSRFToken=xsrf, **tab).status == 200
        assert labgate.ask("GET", "/api/contents", Authorization=token).status == 429
