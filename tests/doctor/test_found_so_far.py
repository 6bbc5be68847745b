"""Whoever interrupts the doctor is told what it has found until then."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys

from aiohttp import web

from proxy.doctor.examine import INTERRUPTED
from proxy.doctor.judge.entry import PLAIN
from proxy.doctor.plan import PROBES
from tests.doctor.python_proxy import serving
from tests.e2e.programs import ROOT


async def test_what_was_found_before_is_told() -> None:
    asked = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.Response:
        """It does not know an encoded path, which is wrong, and does not answer the next probe."""
        if request.path == f"{PLAIN}/":
            return web.Response(status=302, headers={"Location": PLAIN})
        if request.path != "/api":
            return web.Response(status=404)
        if "Cookie" in request.headers:
            asked.set()
            await asyncio.Event().wait()
        return web.json_response({"version": "2.0"})

    async with serving(handle) as url:
        doctor = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "doctor", url, "--json"),
            cwd=ROOT,
            env=os.environ | {"LABGATE_DOCTOR_TOKEN": "x"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(60):
            await asked.wait()
            doctor.send_signal(signal.SIGINT)
            out, err = await doctor.communicate()
    assert (doctor.returncode, err) == (128 + signal.SIGINT, b"")
    report = json.loads(out)
    assert [finding["id"] for finding in report["findings"]] == ["path-decoded"]
    assert report["passed"] == ["address", "jupyter", "two-hosts"]
    left_out = {probe.name for probe in PROBES} - {"address", "jupyter", "two-hosts", "path"}
    assert report["not_tried"].keys() == left_out
    assert report["not_tried"]["head-size"] == report["not_tried"]["save"] == INTERRUPTED
