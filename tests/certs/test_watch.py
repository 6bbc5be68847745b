"""The watcher finds a new pair by itself, however it was put there."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from proxy.certs.sources import CertificateSource
from proxy.certs.store import CertificateStore
from proxy.certs.watch import watch
from proxy.runtime.tasks import spawn
from proxy.tls.context import Handshakes
from tests.certificates import pair

NAME = "lab.example.org"


class RecordingReceiver(Handshakes):
    """Says when it gets another certificate."""

    def __init__(self) -> None:
        super().__init__()
        self.served = asyncio.Event()

    def serve(self, served: Sequence[tuple[Sequence[str], ssl.SSLContext]]) -> None:
        super().serve(served)
        self.served.set()


def _in_place(live: Path) -> None:
    pair(live, NAME)


def _renamed(live: Path) -> None:
    for file in pair(live.parent / "new", NAME):
        file.replace(live / file.name)


def _another_target(live: Path) -> None:
    """The whole folder is a link, as Kubernetes mounts its secrets."""
    pair(live.parent / "second", NAME)
    link = live.with_name("link")
    link.symlink_to(live.parent / "second")
    if not live.is_symlink():
        live.rename(live.with_name("first"))
    link.replace(live)


@pytest.mark.parametrize("change", [_in_place, _renamed, _another_target])
async def test_a_new_pair_is_found(tmp_path: Path, change: Callable[[Path], None]) -> None:
    live = tmp_path / "live"
    cert, key = pair(live, NAME)
    handshakes = RecordingReceiver()
    store = CertificateStore([CertificateSource(NAME, "files", cert, key)], handshakes, (NAME,))
    store.start()
    (managed,) = store.managed
    first = managed.pair
    watching = spawn(watch(store, 0.02), "watching")
    try:
        change(live)
        async with asyncio.timeout(20):
            while managed.pair is first:
                handshakes.served.clear()
                await handshakes.served.wait()
        assert not managed.fault
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
