"""A proxy that was started and answers."""

from __future__ import annotations

import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.certificates import Certificate
from tests.bench.clients import Address, Client
from tests.bench.peers import Peer
from tests.bench.process import Program
from tests.bench.recipes import free_port

START_SECONDS = 30.0
POLL_SECONDS = 0.002


class NotStartedError(Exception):
    """A proxy ended or did not answer in time; says what it printed."""


@dataclass(frozen=True)
class Behind:
    """What stands behind and around every proxy.

    Attributes:
        upstream: The server behind, running.
        upstream_port: Where it listens.
        certificate: The one everybody serves.
        work: A folder for configurations and outputs.
        proxy_cores: Where proxies run.
    """

    upstream: Program
    upstream_port: int
    certificate: Certificate
    work: Path
    proxy_cores: frozenset[int]


@dataclass(frozen=True)
class Running:
    """One proxy.

    Attributes:
        peer: Which one.
        program: Its processes.
        address: For clients.
        first_byte_seconds: From its start to its first answer from the upstream.
    """

    peer: Peer
    program: Program
    address: Address
    first_byte_seconds: float


def start(peer: Peer, behind: Behind, port: int = 0) -> Running:
    """Start a proxy and wait for its first answer.

    Args:
        peer: Which one.
        behind: What stands behind it.
        port: Where it listens; 0 for a free port.

    Raises:
        NotStartedError: With what it printed.
    """
    port = port or free_port()
    work = behind.work / f"{peer.name}-{port}"
    work.mkdir(exist_ok=True)
    address = Address(port, behind.certificate.client)
    command = peer.command(port, behind.upstream_port, behind.certificate, work)
    since = time.perf_counter()
    program = Program(
        command,
        set(behind.proxy_cores),
        work / "output",
        folder=peer.folder,
        environment=peer.environment(work),
    )
    try:
        while not _answers(address):
            if program.ended:
                raise NotStartedError(f"{peer.name} ended: {program.log}")
            if time.perf_counter() - since > START_SECONDS:
                raise NotStartedError(f"{peer.name} does not answer: {program.log}")
            time.sleep(POLL_SECONDS)
    except BaseException:
        program.stop()
        raise
    return Running(peer, program, address, time.perf_counter() - since)


def _answers(address: Address) -> bool:
    try:
        with Client(address) as client:
            client.small()
    except (ssl.SSLError, OSError):
        return False
    return True


def start_upstream(work: Path, cores: set[int]) -> tuple[Program, int]:
    """The server behind every proxy, and its port."""
    output = work / "upstream"
    command = [sys.executable, "-m", "tests.bench.upstream"]
    program = Program(command, cores, output, folder=Path(__file__).parent.parent.parent)
    since = time.perf_counter()
    while not (text := output.read_text()).endswith("\n"):
        if program.ended or time.perf_counter() - since > START_SECONDS:
            program.stop()
            raise NotStartedError(f"the upstream did not start: {text}")
        time.sleep(POLL_SECONDS)
    return program, int(text)
