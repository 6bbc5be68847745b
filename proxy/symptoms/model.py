"""The symptoms and their mends: what ``labgate doctor`` and the inspector tell of.

Tested by tests/symptoms/test_model.py and tests/symptoms/test_mends.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from .mends import LINES, filled
from .symptom import Severity, Symptom
from .table import SYMPTOMS

__all__ = ["SYMPTOMS", "Severity", "Symptom", "mend"]


def mend(id: str, facts: Mapping[str, str]) -> dict[str, str]:  # noqa: A002
    """Lines to paste, by the name of the server they are for.

    Args:
        id: The identifier of a symptom.
        facts: What is known: ``domain`` (the public name), ``port`` (the public one),
            ``upstream`` (Jupyter's address as the proxy dials it, HOST:PORT) and ``path``
            (Jupyter's base_url). What is not known is filled in as an example.

    Returns:
        Only the servers that can cause it. ``jupyter`` stands for jupyter_server_config.py.

    Raises:
        KeyError: There is no such symptom.
    """
    SYMPTOMS[id]
    return {server: filled(lines[id], facts) for server, lines in LINES.items() if id in lines}
