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
                f"Name the address with http:// (labgate doctor {instead}). If browsers are to "
                "open it with https://, the server has to speak TLS there."
            )
        case "not-jupyter":
            return (
                "Correct the address: its host, its port, or the path below which Jupyter is; "
                "`jupyter server list` names it. If a proxy answers there, its upstream has to be "
                "Jupyter's address."
            )
        case "login-refused":
            return (
                "Give the right token, and run labgate doctor again. `jupyter server list` shows "
                "it on the machine of Jupyter; labgate has it in the line Open at its start, and "
                "`labgate open` uses it. Once Jupyter has a password, no token counts: --password."
            )
        case "login-in-front" if finding.field:
            return (
                "Keep that password where it protects this Jupyter, and examine what is behind "
                "it, on its machine: labgate doctor http://127.0.0.1:8888, or what its address "
                "is. To examine through the proxy, too, take the password out meanwhile."
            )
        case "login-in-front":
            return (
                "Examine what is behind that login, on its machine: labgate doctor "
                "http://127.0.0.1:8888, or what its address is."
            )
    return ""
