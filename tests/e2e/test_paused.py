"""A paused container: it takes every connection and answers nothing."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import TEST_IMAGE
from tests.e2e.containers import container_name, docker, pause
from tests.e2e.programs import Labgate, free_port, until

pytestmark = pytest.mark.docker

PAGE_SECONDS = 2.0
NAVIGATION = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}
PAGES = 10


@pytest.fixture(scope="module")
def name() -> Iterator[str]:
    with container_name() as name:
        yield name


@pytest.fixture(scope="module")
def labgate(name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labgate]:
    arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name)
    volume = ("--volume", f"{name}:/home/jovyan/work")
    environment = {
        "LABGATE_JUPYTER__PORT": str(free_port()),
        "LABGATE_UPSTREAM__PAGE_SECONDS": str(PAGE_SECONDS),
    }
    with Labgate(
        tmp_path_factory.mktemp("paused"), "up", *arguments, *volume, environment=environment
    ) as running:
        yield running


@contextmanager
def paused(name: str) -> Iterator[None]:
    pause(name)
    try:
        yield
    finally:
        docker("unpause", name)


def status(labgate: Labgate, target: str, **fields: str) -> int:
    return labgate.ask("GET", target, **fields).status


@pytest.mark.deployment
def test_pages_get_the_waiting_page_and_programs_wait(name: str, labgate: Labgate) -> None:
    token = labgate.opens.partition("?")[2]
    with ThreadPoolExecutor(2 * PAGES + 1) as threads:
        with paused(name):
            program = threads.submit(status, labgate, f"/api/status?{token}")
            people = [threads.submit(status, labgate, "/lab", **NAVIGATION) for _ in range(PAGES)]
            assert {person.result(60) for person in people} == {503}
            looking = [threads.submit(status, labgate, "/.labgate/ready") for _ in range(PAGES)]
            assert {page.result(60) for page in looking} == {503}
            assert not program.done()
        assert program.result(60) == 200
    until(lambda: status(labgate, "/.labgate/ready") == 200, "not ready")
    assert status(labgate, f"/lab?{token}", **NAVIGATION) == 200
    assert "Jupyter ended" not in labgate.log


@pytest.mark.chromium
def test_the_page_opens_by_itself(name: str, labgate: Labgate, page: Page) -> None:
    with paused(name):
        page.goto(labgate.opens)
        expect(page.get_by_role("heading")).to_have_text("Jupyter is not answering yet")
    expect(page).to_have_title("JupyterLab")
