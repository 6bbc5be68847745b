"""labgate with an htpasswd file, and without one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.access.guarded import (
    USERS,
    Guarded,
    guarded,
)


@pytest.fixture
async def labgate(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(USERS, tmp_path) as running:
        yield running


@pytest.fixture
async def without_users(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(None, tmp_path) as running:
        yield running
