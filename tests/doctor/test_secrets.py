"""Secrets go to the address that was named and nowhere else, and are never printed."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from proxy.doctor.answer import UNREADABLE
from proxy.doctor.browser import Browser
from proxy.doctor.examination import Credentials, Examination, Impossible
from proxy.doctor.examine import examine
from proxy.doctor.plan import Probe
from proxy.doctor.target import read_target
from tests.doctor.python_proxy import serving
from tests.e2e.programs import ROOT
from tests.upstreams import says, upstream

TOKEN = "planted-token-0123456789abcdef"
PASSWORD = "planted password ü"
COOKIE = "planted-cookie-value"
HTML = "text/html"
CSP = {"Content-Security-Policy": "report-uri /api/security/csp-report"}


@dataclass
class Elsewhere:
    """A server that notes what it is asked."""

    asked: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        return web.Response(text="hello")


@dataclass
class Hostile:
    """It says that it is Jupyter, leads elsewhere, and repeats the secrets that it gets."""

    elsewhere: str
    redirected: str = ""
    got: list[str] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.text()
        self.got.append(f"{request.headers} {body}")
        if request.path == self.redirected or request.path == self.redirected.rstrip("/"):
            return web.Response(status=302, headers={"Location": f"{self.elsewhere}/?{body}"})
        if request.path == "/api":
            return web.json_response({"version": "2.0"})
        if request.path == "/login" and request.method == "GET":
            page = web.Response(text="<h1>Log in</h1>", content_type=HTML, headers=CSP)
            page.set_cookie("_xsrf", COOKIE)
            return page
        return web.Response(status=403, text=f"\x1b[2J {request.headers.get('Cookie')} {body}")


async def labgate_doctor(*arguments: str, stdin: str = "", **environment: str) -> tuple[int, str]:
    """The exit code, and everything that is printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "proxy", "doctor", *arguments),
        cwd=ROOT,
        env=os.environ | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return process.returncode, out.decode()


@pytest.mark.parametrize("redirected", ["/login", "/api/me", "/api"])
async def test_no_secret_goes_along_a_redirect(redirected: str) -> None:
    elsewhere = Elsewhere()
    async with serving(elsewhere.handle) as other:
        hostile = Hostile(other, redirected)
        async with serving(hostile.handle) as url:
            code, out = await labgate_doctor(url, LABGATE_DOCTOR_TOKEN=TOKEN)
    assert code == 1, out
    assert elsewhere.asked == []
    assert TOKEN not in out


@pytest.mark.parametrize("json", [(), ("--json",)])
async def test_secrets_are_not_printed_though_the_server_repeats_them(
    json: tuple[str, ...],
) -> None:
    hostile = Hostile("http://127.0.0.1:1")
    async with serving(hostile.handle) as url:
        code, out = await labgate_doctor(url, "--password", *json, stdin=PASSWORD + "\n")
        by_token = await labgate_doctor(url, *json, LABGATE_DOCTOR_TOKEN=TOKEN)
    assert code == by_token[0] == 1, out
    got = "".join(hostile.got)
    assert TOKEN in got
    assert "planted+password+%C3%BC" in got
    for told in (out, by_token[1]):
        assert "access-refused" in told
        assert "\x1b[2J" not in told
        for secret in (TOKEN, PASSWORD, "planted+password", COOKIE):
            assert secret not in told


async def test_a_secret_on_the_command_line_works_and_warns() -> None:
    hostile = Hostile("http://127.0.0.1:1")
    async with serving(hostile.handle) as url:
        flag = await labgate_doctor(url, "--token", TOKEN)
        pasted = await labgate_doctor(f"{url}/lab?token={TOKEN}")
    for code, out in (flag, pasted):
        assert code == 1
        assert "can be seen by others" in out
        assert TOKEN not in out
    assert "".join(hostile.got).count(f"password={TOKEN}") >= 2


async def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    hostile = Hostile("http://127.0.0.1:1")
    async with serving(hostile.handle) as url:
        await labgate_doctor(url, "--token-file", str(tmp_path / "token"))
        code, out = await labgate_doctor(url, "--token-file", str(tmp_path / "none"))
    assert f"password={TOKEN}" in "".join(hostile.got)
    assert code == 1
    assert "cannot be read" in out


REFERENCES = "".join(f"&#{ord(char)};" for char in TOKEN)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        (HTML, f"<p>{'x' * 125} {TOKEN}"),
        (HTML, f"<p>{'x' * 125} {REFERENCES}"),
        ("application/json", f'{{"message": "{"x" * 125} \\u0070{TOKEN[1:]}"}}'),
    ],
)
async def test_no_part_of_a_secret_is_left_where_an_answer_is_cut_off(
    content_type: str, content: str
) -> None:
    async def repeat(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=403, text=content, content_type=content_type)

    async with serving(repeat) as url, Browser(read_target(url)[0], None) as browser:
        browser.secrets.add(TOKEN)
        answer = await browser.get("/")
        assert answer.received.startswith("403 Forbidden: xxx")
        assert TOKEN[:4] not in answer.received
        refused, _ = await browser.socket("/api/kernels/1/channels", origin=url)
        assert TOKEN[:4] not in refused.received


async def test_failures_and_reasons_hold_no_secret() -> None:
    async def tell_the_reason(examination: Examination) -> None:
        raise Impossible(f"it says {TOKEN}")

    async with upstream(says(f"HTTP/1.1 {TOKEN}\r\n\r\n".encode())) as running:
        url = f"http://127.0.0.1:{running.address.port}/"
        async with Browser(read_target(url)[0], None) as browser:
            examination = Examination(browser, Credentials(token=TOKEN))
            answer = await browser.get("/")
            assert answer.failure.startswith(UNREADABLE)
            refused, _ = await browser.socket("/", origin=url)
            assert refused.failure.startswith(UNREADABLE)
            report = await examine(examination, probes=(Probe("x", "X", tell_the_reason),))
    assert TOKEN not in answer.failure + refused.failure
    assert report.untried == {"x": "it says [redacted]"}
