"""``labgate password``: a passphrase in, the hash Jupyter takes out."""

from __future__ import annotations

import getpass
import sys

from proxy.errors import StartError
from proxy.jupyter.password import hash_passphrase


def password() -> int:
    """Ask twice on a terminal, once from a pipe; only the hash goes to standard output.

    Raises:
        StartError: Nothing was typed, or two different things.
    """
    if sys.stdin.isatty():
        passphrase = getpass.getpass("Passphrase: ")
        if passphrase != getpass.getpass("Again: "):
            raise StartError("The two passphrases differ; run `labgate password` again.")
    else:
        passphrase = sys.stdin.readline().rstrip("\n")
    if not passphrase:
        raise StartError("An empty passphrase lets everybody in; choose another.")
    print(hash_passphrase(passphrase))
    return 0
