"""Pulls an image, and shows the progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import aiodocker
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from proxy.errors import StartError
from proxy.jupyter.engine import EngineError, has_image
from proxy.jupyter.pull_errors import explain_pull_error, without_registry

LINE_INTERVAL_SECONDS = 5.0
BAR_INTERVAL_SECONDS = 0.1

_DOWNLOADED = ("Download complete", "Extracting", "Pull complete")
_LAYER_STATUSES = ("Pulling fs layer", "Waiting", "Downloading", "Verifying Checksum", *_DOWNLOADED)


@dataclass(slots=True)
class Layer:
    """The progress of one layer of the image."""

    size: int = 0
    received: int = 0
    downloaded: bool = False
    unpacked: bool = False


@dataclass(slots=True)
class PullState:
    """The progress of a pull, updated by the engine's events.

    Layers that exist already are not counted.
    """

    layers: dict[str, Layer] = field(default_factory=dict)

    def update(self, event: Mapping[str, Any]) -> None:
        """Apply one progress event."""
        status = event.get("status", "")
        if status not in _LAYER_STATUSES or "id" not in event:
            return
        layer = self.layers.setdefault(event["id"], Layer())
        detail = event.get("progressDetail") or {}
        if status == "Downloading":
            layer.size = max(layer.size, detail.get("total") or 0)
            layer.received = max(layer.received, detail.get("current") or 0)
        if status in _DOWNLOADED:
            layer.downloaded = True
            layer.received = layer.size
        layer.unpacked = layer.unpacked or status == "Pull complete"

    @property
    def size(self) -> int:
        """Bytes to download, of the layers whose size is known so far."""
        return sum(layer.size for layer in self.layers.values())

    @property
    def received(self) -> int:
        """Bytes downloaded."""
        return sum(layer.received for layer in self.layers.values())

    def __str__(self) -> str:
        count = len(self.layers)
        downloaded = sum(layer.downloaded for layer in self.layers.values())
        unpacked = sum(layer.unpacked for layer in self.layers.values())
        return f"{downloaded}/{count} layers downloaded, {unpacked}/{count} unpacked"


ShowPull = Callable[[PullState], None]


async def ensure_image(docker: aiodocker.Docker, image: str, console: Console) -> None:
    """Pull ``image`` unless it exists.

    Raises:
        StartError: It cannot be pulled; with what to do.
    """
    if await has_image(docker, image):
        return
    state = PullState()
    display = _bar if console.is_terminal else _lines
    try:
        events = cast(
            "AsyncGenerator[dict[str, Any], None]", docker.images.pull(image, stream=True)
        )
        with display(console, image) as show:
            async with contextlib.aclosing(events):
                async for event in events:
                    state.update(event)
                    show(state)
    except EngineError as error:
        raise _pull_error(image, error) from None
    # If the connection breaks, the events end as after a success.
    if not await has_image(docker, image):
        raise StartError(
            f"The pull of image {image} broke off ({state}). Start again to go on. "
            f"{without_registry(image)}"
        )
    _print(console, f"pulled {image}")


@contextlib.contextmanager
def _bar(console: Console, image: str) -> Iterator[ShowPull]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    shown = 0.0
    # No refresh thread: events arrive often enough.
    with Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task(f"Pulling {image}", total=None)

        def show(state: PullState) -> None:
            nonlocal shown
            progress.update(
                task,
                description=f"Pulling {image}: {state}",
                completed=state.received,
                total=state.size or None,
            )
            if (now := time.monotonic()) - shown >= BAR_INTERVAL_SECONDS:
                shown = now
                progress.refresh()

        yield show


@contextlib.contextmanager
def _lines(
    console: Console, image: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[ShowPull]:
    """Print a line every few seconds, for a log."""
    printed_at = clock()
    _print(console, f"Pulling {image} …")

    def show(state: PullState) -> None:
        nonlocal printed_at
        if (now := clock()) - printed_at >= LINE_INTERVAL_SECONDS:
            printed_at = now
            amount = f"{decimal(state.received)} of {decimal(state.size)}"
            _print(console, f"Pulling {image}: {state}, {amount}")

    yield show


def _print(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _pull_error(image: str, error: BaseException) -> StartError:
    words = error.message if isinstance(error, aiodocker.DockerError) else str(error)
    return StartError(explain_pull_error(image, words or type(error).__name__))
