"""``labgate``, and ``python -m proxy``. Tested by tests/e2e/test_broken_output.py."""

from __future__ import annotations

import errno
import gc
import sys
from contextlib import suppress

from proxy.runtime import output
from proxy.runtime.process_exit import exit_without_finalizing

PRINTING = (["password"], ["cert", "show"], ["doctor"], ["status"], ["logs"], ["check"])
"""The commands whose purpose is their output: if it cannot be written, they fail."""

OUTPUT_FAILURES = (errno.EPIPE, errno.ENOSPC, errno.EIO)

ENDED_BY_CTRL_C = ("inspect", "logs")
"""Commands that have no other end: with Ctrl-C they have done what they were asked to."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code, also when Ctrl-C comes before it is loaded.

    Without ``arguments`` this is the whole process, and most commands end it here.
    """
    # A caller that gives arguments keeps its own standard output and error.
    if arguments is not None:
        return _run(arguments)
    output.open_standard_descriptors()
    prints = any(sys.argv[1 : 1 + len(words)] == words for words in PRINTING)
    if not prints:
        output.replace_standard_streams()
    if not prints:
        exit_without_finalizing(_run(None))
    try:
        code = _run(None)
        sys.stdout.flush()
    except OSError as error:
        if error.errno not in OUTPUT_FAILURES:
            raise
        return _output_failed(error)
    return code


def _output_failed(error: OSError) -> int:
    """Whoever reads has seen enough, as ``head`` has; a full disk is worth a sentence."""
    output.discard_standard_output()
    if error.errno != errno.EPIPE:
        with suppress(OSError):
            print(f"labgate: cannot write the output: {error.strerror}.", file=sys.stderr)
    return 1


def _run(arguments: list[str] | None) -> int:
    # The garbage collector would search the loaded modules, which stay, in vain for 0.1 s.
    gc.disable()
    try:
        from proxy.cli.command import command  # noqa: PLC0415  see above

        return command(arguments)
    except KeyboardInterrupt:
        first = (sys.argv[1:] if arguments is None else arguments)[:1]
        return 0 if first and first[0] in ENDED_BY_CTRL_C else 130
    finally:
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
