"""``labgate``, and ``python -m proxy``."""

from __future__ import annotations

import gc
import sys

from proxy.runtime import allocator, output

SERVING = {"serve", "up"}
"""The commands that run for long."""

RESULT = (["password"], ["cert", "show"])
"""Those whose result is what they print: that it cannot be written is their failure."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code, also when Ctrl-C comes before it is loaded."""
    # Arguments that a caller gives are not those this process could start over with.
    if arguments is None:
        output.open_standard_descriptors()
        if SERVING & set(sys.argv[1:2]):
            allocator.choose()
        if not any(sys.argv[1 : 1 + len(words)] == words for words in RESULT):
            output.replace_standard_streams()
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
