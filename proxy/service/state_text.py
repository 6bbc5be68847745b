"""The state in a line, as a service manager shows it; pure."""

from __future__ import annotations

from proxy.service.status import Status


def state_text(status: Status) -> str:
    """Jupyter's state, open WebSockets, the days of the certificate, and what is wrong.

    Args:
        status: As ``proxy.service.status`` describes it.
    """
    parts = [_jupyter(status), count(status["websockets"], "WebSocket")]
    if status["reload_refused"]:
        reason = status["reload_refused"].replace("\n", " ")
        parts.insert(0, f"reload refused, the configuration from before stays: {reason}")
    if failed := status.get("reload_failed"):
        parts.insert(0, f"reload failed, a part of it may be in force: {failed}")
    if status["certificates"]:
        first = min(status["certificates"], key=lambda certificate: certificate["days_left"])
        parts.append(f"certificate {count(first['days_left'], 'day')}")
        parts += [one["problem"] for one in status["certificates"] if one["problem"]][:1]
    silent = [process for process in status["processes"] if not process["answers"]]
    if silent:
        parts.append(f"{count(len(silent), 'worker')} without an answer")
    if status["lockouts"]:
        parts.append(f"{count(len(status['lockouts']), 'address', 'addresses')} locked out")
    return "; ".join(parts)


def _jupyter(status: Status) -> str:
    jupyter, routes = status["jupyter"], status.get("routes", ())
    silent = [route for route in routes if route["state"] != "answers"]
    answer = f"routes that answer: {len(routes) - len(silent)} of {len(routes)}"
    if jupyter["state"] == "in routes":
        return answer
    where = f" at {jupyter['address']}" if jupyter["address"] else ""
    reason = f" ({jupyter['reason']})" if jupyter["reason"] else ""
    words = "is starting" if jupyter["state"] == "starting" else jupyter["state"]
    words = "is started again" if words == "restarting" else words
    return f"Jupyter{where} {words}{reason}" + (f"; {answer}" if routes else "")


def count(number: int, noun: str, plural: str = "") -> str:
    """``1 day``, ``2 days``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
