"""``labgate``, and ``python -m proxy``."""

from __future__ import annotations

import gc
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code, also when Ctrl-C comes before it is loaded."""
    # What is loaded stays, so searching it for unused cycles finds nothing; it takes 0.1 s.
    gc.disable()
    try:
        from proxy.cli.command import command  # noqa: PLC0415  see above

        return command(arguments)
    except KeyboardInterrupt:
        return 130
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
