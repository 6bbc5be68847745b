"""``labgate``, and ``python -m proxy``."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code, also when Ctrl-C comes before it is loaded."""
    try:
        from proxy.cli.command import command  # noqa: PLC0415  see above

        return command(arguments)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
