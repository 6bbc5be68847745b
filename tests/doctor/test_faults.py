"""Faults that a configuration of a usual server does not have, each with its one name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.doctor.target import read_target
from proxy.errors import StartError
from tests.doctor.certificates import Certificates
from tests.doctor.configurations import NGINX
from tests.doctor.conftest import Start
from tests.doctor.examinations import examined, identifiers
from tests.doctor.python_proxy import DEFAULT_MESSAGE_BYTES, PythonProxy, serving
from tests.e2e.programs import Jupyter

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab", "nothing_stays"),
]

RIGHT = PythonProxy("")
FAULTS = {
    "none": (RIGHT, []),
    "aiohttp's limit of messages": (
        replace(RIGHT, max_message_bytes=DEFAULT_MESSAGE_BYTES),
        ["message-limit"],
    ),
    "downloads are cut": (replace(RIGHT, cut_after_bytes=2_000_000), ["download-cut"]),
    "compressed twice": (replace(RIGHT, gzip_twice=True), ["compression"]),
    "no DELETE": (replace(RIGHT, refused=("DELETE",)), ["method-refused"]),
    "no PUT": (replace(RIGHT, refused=("PUT",)), ["method-refused"]),
    "a cache for everybody": (replace(RIGHT, shared_cache=True), ["lab-cached"]),
    "no Set-Cookie": (replace(RIGHT, without_set_cookie=True), ["cookies-lost"]),
}


async def test_plain_http_is_not_redirected(
    start: Start, jupyter: Jupyter, certificates: Certificates
) -> None:
    running = start(NGINX)
    async with serving(PythonProxy(jupyter.upstream).handle) as plain:
        port = read_target(plain)[0].port
        report = await examined(running.url, certificates.authority, http_port=port)
    assert identifiers(report) == ["no-redirect"]


async def test_an_address_that_only_redirects_names_the_other_one(
    start: Start, certificates: Certificates
) -> None:
    running = start(NGINX)
    with pytest.raises(StartError, match=rf"Examine that address: labgate doctor {running.url}"):
        await examined(f"http://localhost:{running.http_port}", certificates.authority)


@pytest.mark.parametrize(("proxy", "found"), FAULTS.values(), ids=FAULTS)
async def test_it_has_its_name(proxy: PythonProxy, found: list[str], jupyter: Jupyter) -> None:
    proxy = replace(proxy, upstream=jupyter.upstream, cache={})
    async with serving(proxy.handle) as url:
        report = await examined(url)
    assert identifiers(report) == found, report.findings
