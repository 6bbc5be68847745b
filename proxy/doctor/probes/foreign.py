"""What a page of another site may do with the login of whoever opens it.

Tested by tests/doctor/test_configurations.py.
"""

from __future__ import annotations

from dataclasses import replace

from proxy.doctor.answer import Answer
from proxy.doctor.browser import close
from proxy.doctor.examination import Examination
from proxy.doctor.finding import Finding
from proxy.doctor.judge import foreign as judge

FOREIGN = "https://elsewhere.example"


async def try_foreign_calls(examination: Examination) -> Finding | None:
    """The API and files are refused to a page of another site, and of another port."""
    browser = examination.browser
    paths = ["/api/sessions"]
    if examination.saved:
        paths.append(f"/files/{examination.belongings.file}")
    other_port = replace(browser.target, port=browser.target.port % 65535 + 1).origin
    asked = []
    for origin in (FOREIGN, other_port):
        fields = browser.own({"Referer": f"{origin}/"}, origin=origin)
        asked += [await browser.ask("GET", path, fields) for path in paths]
    found = judge.judge_foreign(asked)
    examination.open_to_others = found is not None
    return found


async def try_foreign_socket(examination: Examination) -> Finding | None:
    """A WebSocket is refused to a page of another site, and of another port.

    That of a terminal, through which such a page could run commands; else that of the kernel.
    """
    browser, belongings = examination.browser, examination.belongings
    path = f"/api/kernels/{belongings.kernel}/channels"
    if examination.has_terminal:
        path = f"/terminals/websocket/{belongings.terminal}"
    other_port = replace(browser.target, port=browser.target.port % 65535 + 1).origin
    asked: list[Answer] = []
    for origin in (FOREIGN, other_port):
        answer, socket = await browser.socket(path, origin=origin)
        asked.append(answer)
        if socket is not None:
            await close(socket)
    return judge.judge_foreign(asked)
