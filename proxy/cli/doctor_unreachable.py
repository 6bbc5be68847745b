"""What to do where nothing answers, and lines for a server would not help.

Tested by tests/cli/test_doctor_unreachable.py.
"""

from __future__ import annotations

from collections.abc import Mapping


def remedy(facts: Mapping[str, str]) -> str:
    """Sentences for people.

    Args:
        facts: Of the finding: ``unknown_name`` if a name leads to no address.
    """
    name = facts.get("unknown_name", "")
    if not name:
        return (
            "Start the server that should answer there, or correct the address: its port, or "
            "https:// in place of http://."
        )
    if name.endswith(".localhost"):
        return (
            "Browsers resolve *.localhost themselves; this machine does not. For programs, add "
            f"this line to /etc/hosts: 127.0.0.1 {name}"
        )
    return f"Make {name} known in DNS, or in /etc/hosts of this machine; or correct the name."
