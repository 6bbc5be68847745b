"""One real JupyterLab for each worker, and proxies in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.doctor.certificates import Certificates
from tests.doctor.configuration import Configuration
from tests.doctor.leftovers import leftovers
from tests.doctor.proxies import proxy
from tests.doctor.proxy_program import Proxy
from tests.e2e.programs import Jupyter


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    """A Jupyter as its documentation wants it behind a proxy with HTTPS."""
    with Jupyter(tmp_path_factory.mktemp("jupyter"), "--ServerApp.trust_xheaders=True") as running:
        yield running


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


Start = Callable[[Configuration], Proxy]


@pytest.fixture
def nothing_stays(jupyter: Jupyter) -> Iterator[None]:
    """The test fails if it leaves anything in Jupyter, which others may have used before."""
    before = set(leftovers(jupyter))
    yield
    assert set(leftovers(jupyter)) - before == set()


@pytest.fixture
def start(tmp_path: Path, jupyter: Jupyter, certificates: Certificates) -> Iterator[Start]:
    """Starts the proxy of a configuration in front of Jupyter; stops it with the test."""
    upstream = jupyter.upstream.removeprefix("http://")
    with ExitStack() as running:

        def started(configuration: Configuration) -> Proxy:
            folder = tmp_path / f"proxy{len(list(tmp_path.iterdir()))}"
            return running.enter_context(proxy(folder, configuration, upstream, certificates))

        yield started
