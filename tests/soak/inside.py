"""labgate as a process that tells what it holds: ``python -m tests.soak.inside serve …``.

The same commands and keys as ``labgate``. Every ``SAMPLE_SECONDS`` (environment, default
10) it prints one JSON line to standard output: asyncio's tasks cannot be counted from
outside.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections import Counter

from proxy.cli.arguments import parse_arguments
from proxy.cli.run import run_in_event_loop, serve
from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.http1.accepted_connection import AcceptedConnection
from proxy.http1.client_connection import UpstreamConnection
from proxy.proxying.request_handler import RequestHandler
from proxy.runtime.logs import log_to_stderr
from proxy.runtime.tasks import spawn

SAMPLE_SECONDS = float(os.environ.get("SAMPLE_SECONDS", "10"))


async def serve_and_tell(settings: Settings) -> int:
    """``labgate serve``, with a task more."""
    spawn(tell(), "tell")
    return await serve(settings, lambda: settings)


async def tell() -> None:
    """Print a sample now and then."""
    since = time.monotonic()
    while True:
        due = time.monotonic() + SAMPLE_SECONDS
        await asyncio.sleep(SAMPLE_SECONDS)
        late = time.monotonic() - due
        print(json.dumps(sample() | {"seconds": round(due - since, 1), "late": late}), flush=True)


def sample() -> dict[str, object]:
    """What the process holds now.

    ``kinds`` are the tasks by their coroutine, for finding out which ones are left over;
    ``open`` counts clients' connections, requests under way and connections to Jupyter.
    """
    # Garbage that waits for its collection is no leak.
    gc.collect()
    tasks = asyncio.all_tasks()
    with open("/proc/self/statm", "rb") as pages:
        resident = int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {
        "tasks": len(tasks),
        "kinds": Counter(getattr(task.get_coro(), "__qualname__", "?") for task in tasks),
        "open": sum(
            isinstance(one, AcceptedConnection | RequestHandler | UpstreamConnection)
            for one in gc.get_objects()
        ),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "resident": resident,
    }


if __name__ == "__main__":
    arguments = parse_arguments(sys.argv[1:])
    settings = load(arguments.flags, file=arguments.config)
    # The test waits for the line that says where labgate serves.
    log_to_stderr(settings.log.level, settings.log.format)
    sys.exit(run_in_event_loop(serve_and_tell, settings))
