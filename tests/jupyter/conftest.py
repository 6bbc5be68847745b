from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import pytest

from tests.jupyter.place import Place


@pytest.fixture
async def place(docker: aiodocker.Docker, tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(docker, tmp_path / "state")
    try:
        yield place
    finally:
        await place.clean()
