from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiodocker
import pytest

from tests.jupyter.place import Place


@pytest.fixture
async def place(docker: aiodocker.Docker, stand_in: str, tmp_path: Path) -> AsyncIterator[Place]:
    """A place whose containers have the stand-in for Jupyter, unless their settings say other."""
    place = Place(docker, tmp_path / "state", stand_in)
    try:
        yield place
    finally:
        await place.clean()
