"""The files that will be fetched, and when: not while a page is being loaded, but soon."""

from __future__ import annotations

from proxy.cache.memory_store import MemoryStore
from proxy.cache.stored_file import FileKey

QUIET_SECONDS = 3.0
"""After the last new file: a page that is being loaded comes first."""
MAX_WAIT_SECONDS = 30.0
"""After the first new file: whoever asks for a new one all the time must not stop the others."""
MAX_CANDIDATES = 512
MAX_NAMES = 2
"""Of one file, with and without ``?v=``: anybody can write as many as they like."""


class Candidates:
    """Files that were forwarded and may be kept, in the order in which they were noticed.

    Args:
        files: Those that are kept already.
        quiet_seconds: How long after the last new one they are fetched.
    """

    def __init__(self, files: MemoryStore, quiet_seconds: float) -> None:
        self._files = files
        self._quiet_seconds = quiet_seconds
        self._keys: dict[FileKey, None] = {}
        self._first_at = 0.0
        self._last_at = 0.0

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, key: FileKey, now: float) -> bool:
        """Note a file at the time ``now`` in seconds; returns whether there is room for it."""
        if key not in self._keys and not self._has_room(key):
            return False
        if not self._keys:
            self._first_at = now
        self._keys[key] = None
        self._last_at = now
        return True

    def wait_seconds(self, now: float) -> float:
        """How long the next one must wait yet; 0 for not at all."""
        quiet_at = self._last_at + self._quiet_seconds
        return max(0.0, min(quiet_at, self._first_at + MAX_WAIT_SECONDS) - now)

    def take(self) -> FileKey:
        """The one that was noticed first, which is then none any more."""
        key = next(iter(self._keys))
        del self._keys[key]
        return key

    def clear(self) -> None:
        """Forget all."""
        self._keys.clear()

    def _has_room(self, key: FileKey) -> bool:
        if len(self._keys) >= MAX_CANDIDATES:
            return False
        waiting = sum(other.file == key.file for other in self._keys)
        return waiting + self._files.names_of(key) < MAX_NAMES
