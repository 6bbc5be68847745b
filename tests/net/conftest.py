"""Every test of listeners also holds the states of its connections against the tables."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from proxy.certs.files import load_pair
from tests.certificates import pair, server_context
from tests.http1.watch_states import watched


@pytest.fixture(autouse=True)
def _states(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with watched(monkeypatch):
        yield


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    return server_context([load_pair(*pair(folder, "lab.example.org"))])
