"""What a stranger, or another site's page, tries on a real Jupyter behind labgate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
