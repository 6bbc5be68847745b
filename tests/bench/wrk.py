"""wrk, where it is found: HTTP load that costs the load's core the least."""

from __future__ import annotations

import re
import subprocess

from tests.bench.clients import Address
from tests.bench.crowd import ask_http
from tests.bench.peers import program

SPARE_SECONDS = 30.0

_REQUESTS = re.compile(r"^\s*(\d+) requests in ", re.MULTILINE)
_FAULTS = re.compile(r"^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$", re.MULTILINE)
_CLOSED_ONLY = re.compile(r"Socket errors: connect 0, read \d+, write 0, timeout 0")


class LoadError(Exception):
    """The load was not answered as it should be."""


def requests(address: Address, connections: int, seconds: float, target: str = "/small") -> int:
    """Ask for 1 KiB over kept-alive connections for so long; returns the answers.

    Raises:
        LoadError: Some answers were missing or were not 200.
    """
    wrk = program("wrk")
    if wrk is None:
        return ask_http(address, connections, seconds, target).answers
    command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"]
    for line in address.get(target.encode()).decode().splitlines()[1:]:
        if line:
            command += ["-H", line]
    command.append(f"https://127.0.0.1:{address.port}{target}")
    limit = seconds + SPARE_SECONDS
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit)
    counted = _REQUESTS.search(shown.stdout)
    fault = _FAULTS.search(shown.stdout)
    # nginx closes a connection after so many requests, which wrk counts as a read error.
    if fault is not None and not _CLOSED_ONLY.search(fault[0]):
        raise LoadError(fault[0].strip())
    if counted is None or int(counted[1]) == 0:
        raise LoadError(f"wrk counted nothing: {shown.stdout.strip()} {shown.stderr.strip()}")
    return int(counted[1])
