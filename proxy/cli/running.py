"""The commands that speak with a running labgate: status, reload, stop and others.

Tested by tests/e2e/test_status.py, tests/e2e/test_reload.py and tests/e2e/test_takeover.py.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import os
import sys
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from proxy.admin.client import AdminClient
from proxy.cli.status_lines import fact_lines, print_status
from proxy.errors import StartError
from proxy.runtime.owners import ROOT_UID
from proxy.runtime.secret_files import write_atomically
from proxy.service.state_folder import find_state_folder
from proxy.service.systemctl import systemctl

RELOAD_SECONDS = 120.0
UPGRADE_SECONDS = 360.0
"""Longer than labgate itself waits for its successor (``service.handover``)."""
OPEN_FILE = "open.html"
OPEN_SECONDS = 10.0
"""A browser that was not running yet has read the file within this."""
OPEN_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="referrer" content="no-referrer">
<title>labgate</title>
<meta http-equiv="refresh" content="0; url={0}">
<p><a href="{0}">Open Lab</a>
"""


async def run_command(parsed: argparse.Namespace) -> int:
    """Run one of them; returns the exit code.

    Raises:
        StartError: No labgate runs, or it refuses.
    """
    state_folder = find_state_folder(parsed.config)
    async with AdminClient.connect(state_folder) as client:
        match parsed.command:
            case "status":
                await _status(client, as_json=parsed.json)
            case "reload":
                return await _reload(client)
            case "upgrade":
                await _upgrade(client)
            case "logs":
                await _logs(client, parsed.lines, follow=parsed.follow)
            case "open":
                await _open(client, state_folder)
            case "unlock":
                await _unlock(client, parsed.address)
            case _:
                return await _stop(client)
    return 0


async def _status(client: AdminClient, *, as_json: bool) -> None:
    status = await client.get("status")
    if as_json:
        print(json.dumps(status, indent=1, ensure_ascii=False))
    elif sys.stdout.isatty():
        print_status(status, datetime.now(UTC))
    else:
        print("\n".join(fact_lines(status)))


async def _reload(client: AdminClient) -> int:
    """Reload, and print the result; 1 if the configuration was refused or the reload failed."""
    outcome = await client.post("reload", seconds=RELOAD_SECONDS)
    if outcome["refused"]:
        print(f"labgate: reload refused: {outcome['refused']}", file=sys.stderr)
        print("labgate: the configuration from before stays in force.", file=sys.stderr)
        return 1
    # A labgate of before an upgrade, and one that serves a JupyterHub, does not say this.
    if failed := outcome.get("failed"):
        print(f"labgate: reload failed: {failed}", file=sys.stderr)
        return 1
    for sentence in outcome["sentences"]:
        print(f"labgate: {sentence}")
    return 0


async def _upgrade(client: AdminClient) -> None:
    pid = (await client.post("upgrade", seconds=UPGRADE_SECONDS))["pid"]
    print(f"labgate: process {pid} serves now; the one before ends with its last WebSocket.")


async def _logs(client: AdminClient, lines: int, *, follow: bool) -> None:
    async for line in client.lines("log", lines=str(lines), **({"follow": ""} if follow else {})):
        print(line, flush=True)


async def _open(client: AdminClient, state_folder: Path) -> None:
    """Open a private file that leads to the address: every user sees a browser's command line."""
    address = (await client.post("address"))["address"]
    file = _write_page(state_folder, address)
    try:
        if not await asyncio.to_thread(webbrowser.open, file.as_uri()):
            logs_in = ", which logs in" if "?" in address else ""
            print(f"No browser could be opened. Open this address{logs_in}:\n{address}")
            return
        print(f"Opened {address.partition('?')[0]} in the browser.", flush=True)
        await asyncio.sleep(OPEN_SECONDS)
    finally:
        file.unlink(missing_ok=True)


def _write_page(state_folder: Path, address: str) -> Path:
    file = state_folder.absolute() / OPEN_FILE
    try:
        write_atomically(file, OPEN_PAGE.format(html.escape(address)).encode("utf-8"))
    except OSError as error:
        raise StartError(
            f"{file} cannot be written: {error.strerror}. Open this address, which logs in:\n"
            f"{address}"
        ) from None
    return file


async def _unlock(client: AdminClient, address: str) -> None:
    lifted = (await client.post("unlock", {"address": address}))["lifted"]
    if not lifted:
        raise StartError(f"{address} is not locked out; `labgate status` lists who is.")
    print(f"{address} may log in again.")


async def _stop(client: AdminClient) -> int:
    status = await client.get("status")
    unit = status["service"]
    if unit:
        require_root(unit)
        # Otherwise the next connection would start it again.
        sockets = systemctl("show", "--value", "--property", "TriggeredBy", unit).split()
        if sockets:
            systemctl("stop", *sockets)
    await client.post("stop")
    await client.wait_until_stopped()
    if unit:
        systemctl("stop", unit)
    jupyter = "" if "hub_routes" in status else _and_jupyter(status["jupyter"])
    print(f"labgate (process {status['pid']}) has stopped{jupyter}.")
    if unit and sockets:
        stopped = " ".join(sockets)
        start = f"systemctl start {stopped} {unit.removesuffix('.service')}"
        print(f"{stopped} is stopped, too: start both again with `{start}`")
    return 0


def require_root(unit: str) -> None:
    """Let only root stop a service.

    Raises:
        StartError: This is another user; with the command.
    """
    if os.geteuid() != ROOT_UID:
        raise StartError(
            f"labgate runs as the service {unit}. Stop it and its Jupyter with `sudo labgate "
            f"stop`, or labgate alone: sudo systemctl stop {unit}"
        )


def _and_jupyter(jupyter: dict[str, Any]) -> str:
    if jupyter["state"] == "in routes":
        return "; the Jupyters go on"
    if jupyter["description"]:
        return ", and so has its Jupyter"
    return f"; Jupyter at {jupyter['address']} goes on"
