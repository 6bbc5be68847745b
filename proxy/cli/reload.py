"""``labgate reload``: the running labgate reads its configuration again; waits for the outcome.

Tested by tests/e2e/test_reload.py.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

from proxy.admin.client import AdminClient
from proxy.service.state_folder import find_state_folder


def reload(parsed: argparse.Namespace) -> int:
    """Reload, and print what came of it; 1 if the configuration was refused.

    Raises:
        StartError: No labgate runs, or it stopped meanwhile.
    """
    outcome = asyncio.run(_ask(find_state_folder(parsed.config)))
    if outcome["refused"]:
        print(f"labgate: reload refused: {outcome['refused']}", file=sys.stderr)
        print("labgate: the configuration from before stays in force.", file=sys.stderr)
        return 1
    for sentence in outcome["sentences"]:
        print(f"labgate: {sentence}")
    return 0


async def _ask(state_folder: Path) -> Any:
    async with AdminClient.connect(state_folder) as client:
        return await client.post("reload")


def upgrade(parsed: argparse.Namespace) -> int:
    """Have the running labgate start a successor from the files on disk; 0 when that serves.

    Raises:
        StartError: No labgate runs, or its successor does not serve.
    """

    async def ask() -> Any:
        async with AdminClient.connect(find_state_folder(parsed.config)) as client:
            return await client.post("upgrade")

    pid = asyncio.run(ask())["pid"]
    print(f"labgate: process {pid} serves now; the one before ends with its last WebSocket.")
    return 0
