"""The files that will be fetched, and when: not while a page is being loaded, but soon."""

from __future__ import annotations

from proxy.cache.memory_store import MemoryStore
from proxy.cache.stored_file import FileKey

QUIET_SECONDS = 3.0
"""After the last new file: a page that is being loaded comes first."""
MAX_WAIT_SECONDS = 30.0
"""After the first new file: whoever asks for a new one all the time must not stop the others."""
MAX_CANDIDATES = 512


class Candidates:
    """Files that were forwarded and may be kept, in the order in which they were noticed.

    Anybody can ask for one file with as many values of ``?v=`` as they like, and Jupyter answers.
    Of those that only the content can tell from Jupyter's own, the latest alone waits.

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
        if key.unproven and key not in self._keys:
            if self._files.has_version(key):
                return False
            self._forget_version(key)
        if key not in self._keys and len(self._keys) >= MAX_CANDIDATES:
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

    def _forget_version(self, key: FileKey) -> None:
        """Let no other name wait that differs from this one in an unproven ``?v=`` alone."""
        for other in [one for one in self._keys if one.unproven and one.file == key.file]:
            del self._keys[other]
