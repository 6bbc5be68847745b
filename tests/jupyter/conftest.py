from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import aiodocker
import pytest

from tests.jupyter import image
from tests.jupyter.place import Place

T = TypeVar("T")


class StandIn:
    """The name of the image with the stand-in for Jupyter; built when it is first asked for."""

    def __init__(self) -> None:
        self.built = ""

    @property
    def name(self) -> str:
        self.built = self.built or _run(image.build())
        return self.built


def _run(work: Coroutine[object, object, T]) -> T:
    """Run it to its end on a loop of its own, beside the test's."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandIn]:
    stand_in = StandIn()
    yield stand_in
    if stand_in.built:
        _run(image.remove(stand_in.built))


@pytest.fixture
async def place(
    docker: aiodocker.Docker, stand_in: StandIn, tmp_path: Path
) -> AsyncIterator[Place]:
    """A place whose containers have the stand-in for Jupyter, unless their settings say other."""
    place = Place(docker, tmp_path / "state", stand_in.name)
    try:
        yield place
    finally:
        await place.clean()
