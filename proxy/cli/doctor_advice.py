"""What to do first, where a sentence says it better than lines for a server.

Tested by tests/cli/test_doctor_advice.py.
"""

from __future__ import annotations

from proxy.doctor.finding import Finding


def advice(finding: Finding) -> str:
    """Sentences for people; empty where the lines to paste say everything."""
    instead = finding.facts.get("instead", "")
    match finding.id:
        case "tls-expected":
            return f"Name the address with https://: labgate doctor {instead}"
        case "unreachable" if instead:
            return (
                f"Name the address with http://: labgate doctor {instead} . If browsers are to "
                "open it with https://, the server has to speak TLS there."
            )
        case "not-jupyter":
            return (
                "Correct the address: its host, its port, or the path below which Jupyter is; "
                "`jupyter server list` names it. If a proxy answers there, its upstream has to be "
                "Jupyter's address."
            )
    return ""
