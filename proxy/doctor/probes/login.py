"""The login, its cookie, and the page that it opens.

Tested by tests/doctor/test_configurations.py and tests/doctor/test_hostile.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urlencode

from proxy.doctor.answer import Answer, set_cookies
from proxy.doctor.browser import Browser
from proxy.doctor.examination import Credentials, Examination, Impossible
from proxy.doctor.finding import Finding
from proxy.doctor.judge import bodies
from proxy.doctor.judge import login as judge

MAX_PAGE_BYTES = 4 * 2**20
HTTPS_CLAIMED = {"X-Forwarded-Proto": "https"}


async def try_login(examination: Examination) -> Finding | None:
    """Log in by the form, as a person does; from here on only the cookie speaks.

    A token in a query or in Authorization would skip Jupyter's checks of Origin and XSRF
    (``IdentityProvider.is_token_authenticated``), which are what is to be examined.
    """
    browser = examination.browser
    browser.cookies.clear()
    stranger = await browser.get("/api/me", cookies=False)
    if stranger.ok:
        examination.needs_login, examination.login = False, stranger
        await browser.get("/lab")
        return judge.judge_readable_xsrf(stranger)
    if stranger.status not in (401, 403):
        return judge.judge_refusal(stranger)
    if not examination.credentials.secret and examination.ask is not None:
        examination.know(Credentials(token=await examination.ask()))
    if not examination.credentials.secret:
        raise Impossible("no token and no password were given")
    page = await browser.get("/login")
    if page.status == 404 and examination.credentials.token:
        return await _by_token(examination)
    if found := judge.judge_login_page(page) or judge.judge_readable_xsrf(page):
        return found
    answer = await log_in(browser, examination.credentials)
    alone = None
    if answer.status in (403, 404):
        alone = await log_in(browser, examination.credentials, origin=False)
        if refused := judge.judge_secret(alone):
            examination.besides.append(refused)
    if found := judge.judge_login(answer, alone):
        return found
    examination.login = answer
    return judge.judge_known(await browser.get("/api/me"))


async def _by_token(examination: Examination) -> Finding | None:
    """Where there is no form (JupyterHub has its own), a token brings the same cookie."""
    examination.login = await examination.browser.get(
        "/api/me", {"Authorization": f"token {examination.credentials.token}"}
    )
    if not examination.login.ok:
        return Finding(
            "login-refused",
            "Authorization",
            examination.login.sent,
            examination.login.received,
        )
    return judge.judge_known(await examination.browser.get("/api/me"))


async def log_in(
    browser: Browser,
    credentials: Credentials,
    more: Mapping[str, str] | None = None,
    *,
    origin: bool = True,
) -> Answer:
    """Send the form of the login page, with more fields than usual."""
    form = urlencode({"_xsrf": browser.xsrf, "password": credentials.secret})
    usual = {
        "Referer": f"{browser.target.url}login",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    fields = browser.own(usual | dict(more or {}), origin=browser.target.origin if origin else "")
    return await browser.ask("POST", "/login", fields, form.encode())


async def try_flags(examination: Examination) -> Finding | None:
    """The login cookie is Secure and HttpOnly, so X-Forwarded-Proto has its effect."""
    claimed = await _set_again(examination, examination.browser)
    trusts = None
    if examination.direct is not None:
        direct = await _set_again(examination, examination.direct)
        trusts = any("secure" in attributes for _, attributes in set_cookies(direct).values())
    return judge.judge_flags(examination.login, claimed, trusts)


async def _set_again(examination: Examination, browser: Browser) -> Answer:
    """An answer that sets the login cookie, to a client that claims https itself."""
    if not examination.needs_login:
        return await browser.get("/api/me", HTTPS_CLAIMED, cookies=False)
    await browser.get("/login")
    return await log_in(browser, examination.credentials, HTTPS_CLAIMED)


async def try_page(examination: Examination) -> Finding | None:
    """``/lab`` is asked for anew each time, and no stranger gets somebody's page."""
    browser = examination.browser
    address = f"/lab?{examination.belongings.label}"
    first = await browser.get(address, kept=MAX_PAGE_BYTES)
    if first.status == 404:
        address = f"/tree?{examination.belongings.label}"
        first = await browser.get(address, kept=MAX_PAGE_BYTES)
    if not first.ok:
        return judge.judge_refusal(first)
    again = await browser.get(address, kept=MAX_PAGE_BYTES)
    stranger = await browser.get(address, kept=0, cookies=False)
    examination.lab = first
    return judge.judge_cached(again, stranger, examination.needs_login)


_REFERENCE = re.compile(rb'(?:src|href)="(/[^"?]{1,500})(\?[^"]{0,500})?"')


def file_of(page: bytes, base: str) -> str:
    """The path after ``base`` of a script or style of Jupyter's own; empty if there is none."""
    for found in _REFERENCE.finditer(page):
        path, query = (part.decode("utf-8", "replace") for part in found.groups(b""))
        if path.endswith((".js", ".css")) and path.startswith(f"{base}/"):
            return unescape(path + query).removeprefix(base)
    return ""


async def try_compression(examination: Examination) -> Finding | None:
    """A file of the page is the same with and without compression."""
    base = examination.browser.target.base
    path = file_of(examination.lab.body, base)
    if not path:
        raise Impossible("the page names no file of its own")
    plain = await examination.browser.get(path, kept=MAX_PAGE_BYTES)
    packed = await examination.browser.get(path, {"Accept-Encoding": "gzip"}, kept=MAX_PAGE_BYTES)
    return bodies.judge_compression(plain, packed)
