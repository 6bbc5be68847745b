from __future__ import annotations

from typing import Any

import pytest

from proxy.service.state_text import state_text

JUPYTER = {"address": "http://127.0.0.1:8888", "state": "answers", "reason": ""}
CERTIFICATE = {"days_left": 61, "problem": ""}
STATUS: dict[str, Any] = {
    "reload_refused": "",
    "jupyter": JUPYTER,
    "websockets": 2,
    "certificates": [],
    "processes": [{"answers": True}],
    "lockouts": [],
}
REFUSED = "reload refused, the configuration from before stays"
ANSWERS = "Jupyter at http://127.0.0.1:8888 answers"

TEXTS: list[tuple[dict[str, Any], str]] = [
    ({}, f"{ANSWERS}; 2 WebSockets"),
    (
        {"reload_refused": "one is.\nanother is."},
        f"{REFUSED}: one is. another is.; {ANSWERS}; 2 WebSockets",
    ),
    (
        {"reload_failed": "OSError()"},
        f"reload failed, a part of it may be in force: OSError(); {ANSWERS}; 2 WebSockets",
    ),
    ({"websockets": 1}, f"{ANSWERS}; 1 WebSocket"),
    (
        {"routes": [{"state": "answers"}, {"state": "does not answer"}]},
        f"{ANSWERS}; routes that answer: 1 of 2; 2 WebSockets",
    ),
    (
        {"jupyter": JUPYTER | {"state": "in routes"}, "routes": [{"state": "answers"}]},
        "routes that answer: 1 of 1; 2 WebSockets",
    ),
    (
        {"certificates": [CERTIFICATE, CERTIFICATE | {"days_left": 1}]},
        f"{ANSWERS}; 2 WebSockets; certificate 1 day",
    ),
    (
        {"certificates": [CERTIFICATE | {"problem": "The key does not fit."}]},
        f"{ANSWERS}; 2 WebSockets; certificate 61 days; The key does not fit.",
    ),
    (
        {"jupyter": {"address": "", "state": "starting", "reason": ""}, "websockets": 0},
        "Jupyter is starting; 0 WebSockets",
    ),
    (
        {"jupyter": JUPYTER | {"state": "restarting", "reason": "it was killed"}},
        "Jupyter at http://127.0.0.1:8888 is started again (it was killed); 2 WebSockets",
    ),
    (
        {"processes": [{"answers": True}, {"answers": False}], "lockouts": [{}]},
        f"{ANSWERS}; 2 WebSockets; 1 worker without an answer; 1 address locked out",
    ),
]


@pytest.mark.parametrize(("changes", "text"), TEXTS)
def test_what_systemctl_shows(changes: dict[str, Any], text: str) -> None:
    assert state_text(STATUS | changes) == text
