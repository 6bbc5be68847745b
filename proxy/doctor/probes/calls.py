"""What a page does: calls with Origin and the XSRF token, a session, a terminal, a file.

Tested by tests/doctor/test_configurations.py and tests/doctor/test_interrupted.py.
"""

from __future__ import annotations

from uuid import uuid4

from proxy.doctor.answer import Answer
from proxy.doctor.examination import Examination, Impossible
from proxy.doctor.finding import Finding
from proxy.doctor.judge import login as judge


async def try_post(examination: Examination) -> Finding | None:
    """A POST with Origin and X-XSRFToken comes to Jupyter's handler.

    It is empty, so the handler answers 400 and makes nothing.
    """
    browser = examination.browser
    answer = await browser.call("POST", "/api/sessions", {})
    alone = None
    if answer.status in (403, 404):
        alone = await browser.call("POST", "/api/sessions", {}, origin=False)
    return judge.judge_call(answer, alone)


async def try_methods(examination: Examination) -> Finding | None:
    """DELETE, PUT and PATCH come to Jupyter, for things that do not exist.

    Where DELETE does not, nothing is made, because it could not be removed again.
    """
    browser = examination.browser
    missing = f"/api/contents/{examination.belongings.label}/no-such-folder.txt"
    for method, path, content in (
        ("DELETE", f"/api/sessions/{uuid4()}", None),
        ("PUT", missing, {"type": "file", "format": "text", "content": ""}),
        ("PATCH", missing, {"path": "no-such-file.txt"}),
    ):
        if found := judge.judge_method(await browser.call(method, path, content)):
            return found
    return None


async def try_kernel(examination: Examination) -> Finding | None:
    """A session with a kernel of Python, or of what there is."""
    browser, belongings = examination.browser, examination.belongings
    specs = (await browser.get("/api/kernelspecs", kept=2**20)).json or {}
    known = specs.get("kernelspecs") or {}
    if not known:
        raise Impossible("Jupyter has no kernels")
    python = [name for name, one in known.items() if one["spec"]["language"] == "python"]
    name = specs["default"] if specs.get("default") in python else (python or list(known))[0]
    label = belongings.label
    model = {"path": label, "name": label, "type": "console", "kernel": {"name": name}}
    answer = await belongings.create("session", browser.call("POST", "/api/sessions", model))
    if found := judge.judge_call(answer, None):
        return found
    belongings.adopt_session(answer.json["id"], answer.json["kernel"]["id"])
    return None


async def try_terminal(examination: Examination) -> Finding | None:
    """A terminal."""
    belongings = examination.belongings
    asked = examination.browser.call("POST", "/api/terminals", {"name": belongings.terminal})
    answer = await belongings.create("terminal", asked)
    if answer.status == 404:
        raise Impossible("terminals are switched off in Jupyter")
    if found := judge.judge_call(answer, None):
        return found
    belongings.terminal, examination.has_terminal = answer.json["name"], True
    return None


async def try_save(examination: Examination) -> Finding | None:
    """A small file is saved.

    Only where the kernel can remove it again: Jupyter itself moves what it deletes to the trash,
    and leaves a folder for checkpoints.
    """
    if examination.language != "python":
        raise Impossible("no kernel of Python, which could remove the file again")
    belongings = examination.belongings
    model = {"type": "file", "format": "text", "content": "labgate doctor\n"}
    asked = examination.browser.call("PUT", f"/api/contents/{belongings.file}", model)
    answer = await belongings.create("file", asked)
    if _cannot_write(answer):
        raise Impossible(f"Jupyter cannot write files: {answer.message}")
    examination.saved = answer.ok
    return judge.judge_call(answer, None)


def _cannot_write(answer: Answer) -> bool:
    return answer.status in (403, 500) and "ermission denied" in answer.message
