"""The mend that rewrites Host, Origin and Referer keeps Jupyter's protection, on every server.

It is the mend for a Jupyter that refuses the public name. The recipes found everywhere rewrite
on every request, and let every site in. Traefik cannot rewrite part of a field: its mend passes
Host on, and Jupyter has to know the name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from proxy.symptoms.model import mend
from tests.doctor.certificates import Certificates
from tests.doctor.configurations import RIGHT
from tests.doctor.proxies import proxy
from tests.doctor.visitor import Visitor
from tests.e2e.programs import Jupyter

pytestmark = [pytest.mark.proxies, pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]

FOREIGN = "https://evil.example"
FILE = json.dumps({"type": "file", "format": "text", "content": "x"})


@pytest.fixture(scope="module", params=[server for server in RIGHT if server != "traefik"])
def visitor(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    jupyter: Jupyter,
    certificates: Certificates,
) -> Iterator[Visitor]:
    upstream = jupyter.upstream.removeprefix("http://")
    right = RIGHT[request.param]
    started = proxy(tmp_path_factory.mktemp("proxy"), right, upstream, certificates)
    facts = {"domain": "localhost", "port": str(started.port), "upstream": upstream}
    started.configure(right.pasted(mend("host-refused", facts)[right.server]))
    with started:
        visitor = Visitor(started)
        visitor.log_in()
        (jupyter.work / "file.txt").write_text("x")
        yield visitor


def test_the_own_page_writes_files(visitor: Visitor) -> None:
    assert visitor.ask("PUT", "/api/contents/file.txt", FILE, Origin=visitor.own) == 200


def test_jupyter_sees_its_own_address(visitor: Visitor, jupyter: Jupyter) -> None:
    assert f"username-127-0-0-1-{jupyter.port}" in visitor.cookies


def test_the_own_page_opens_websockets(visitor: Visitor) -> None:
    assert visitor.websocket(visitor.own) == 101


@pytest.mark.parametrize("below", ["", "/", "/lab/tree/file.txt"])
def test_the_own_page_shows_files(visitor: Visitor, below: str) -> None:
    assert visitor.ask("GET", "/files/file.txt", Referer=visitor.own + below) == 200


def foreign(visitor: Visitor, jupyter: Jupyter) -> list[str]:
    """Origins of pages that are not ours."""
    return [
        FOREIGN,
        "null",
        f"https://localhost:{visitor.proxy.port}1",
        f"http://localhost:{visitor.proxy.port}",
        f"https://localhost.evil.example:{visitor.proxy.port}",
        jupyter.upstream,
        jupyter.upstream.upper(),
        jupyter.upstream.replace("http:", "https:"),
    ]


def test_foreign_pages_write_no_files(visitor: Visitor, jupyter: Jupyter) -> None:
    answers = {
        origin: visitor.ask("PUT", "/api/contents/file.txt", FILE, Origin=origin)
        for origin in foreign(visitor, jupyter)
    }
    assert set(answers.values()) == {404}, answers


def test_foreign_pages_open_no_websockets(visitor: Visitor, jupyter: Jupyter) -> None:
    answers = {origin: visitor.websocket(origin) for origin in foreign(visitor, jupyter)}
    assert set(answers.values()) == {403}, answers


def test_foreign_pages_show_no_files(visitor: Visitor, jupyter: Jupyter) -> None:
    answers = {
        origin: visitor.ask("GET", "/files/file.txt", Referer=f"{origin}/page")
        for origin in foreign(visitor, jupyter)
    }
    assert set(answers.values()) == {403}, answers


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1", "localhost:1"])
def test_another_name_does_not_reach_jupyter(visitor: Visitor, host: str) -> None:
    answer = visitor.answer("GET", "/api", Host=host)
    # Caddy has no site of these names, and says so with an empty answer.
    nobody = visitor.proxy.name == "caddy" and host in ("evil.example", "127.0.0.1")
    assert answer.status == (200 if nobody else 421)
    assert answer.headers["Content-Type"] != "application/json"
