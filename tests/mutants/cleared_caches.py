"""A plugin of pytest: what was computed without a mutant is not remembered with it.

mutmut runs the tests once as they are, and then forks for each mutant: a function whose answers
``functools.lru_cache`` has from the first run would not call the mutant at all.
"""

from __future__ import annotations

import sys


def pytest_sessionstart() -> None:
    """Forget what functions of ``proxy`` remember."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "proxy":
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
