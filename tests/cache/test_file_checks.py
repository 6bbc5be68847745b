"""Which files are checked while they are used; test_static_cache.py tests what follows."""

from __future__ import annotations

from proxy.cache.file_checks import HASHED_AT_ONCE, sample
from tests.cache.test_memory_store import stored


def test_a_few_files_with_hashes_are_checked_for_all() -> None:
    """Their names mean one content: all of them would cost Jupyter as much as the page itself."""
    hashed = [stored(b"/%d.efd36b46f3b45eb8.js" % number) for number in range(12)]
    others = [stored(b"/%d.js" % number) for number in range(12)]
    for age, file in enumerate(hashed):
        file.checked_at = -age
    assert sample([*hashed, *others]) == [*others, *hashed[: -HASHED_AT_ONCE - 1 : -1]]
