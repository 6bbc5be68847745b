"""A request of the inspector's is sent by a worker, through the same rules as a client's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.config.settings import Settings
from proxy.inspector.recorder import CaptureOptions
from proxy.inspector.replay_request import ReplayRefused
from proxy.net.ports import Ports
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.head import Arrival, RequestHead
from proxy.workers.replays import message_of, read_message
from proxy.workers.supervisor import Supervisor
from tests.upstreams import OK, says, upstream


def head(origin: bytes) -> RequestHead:
    fields = ((b"Host", b"localhost:8443"), (b"Origin", origin), (b"X-A", "grüß".encode()))
    target = b"/api/a%2Fb?token=s3cret"
    return RequestHead(b"PUT", target, (1, 1), (*fields, LENGTH), Arrival("127.0.0.1"))


OWN = b"https://localhost:8443"
LENGTH = (b"Content-Length", b"2")


async def test_a_worker_sends_it_and_the_supervisor_shows_it() -> None:
    async with upstream(says(OK, OK)) as jupyter:
        settings = {"listen": {"tls": False, "workers": 2}}
        supervisor = Supervisor(Settings.model_validate(settings), access_log=False)
        supervisor.connect_to(jupyter.address)
        supervisor.inspector.switch(CaptureOptions())
        (worker,) = await supervisor._group.start([Ports([], [])])
        try:
            await worker.ready.wait()
            allowed = await supervisor.replay(head(OWN), b"{}")
            refused = await supervisor.replay(head(b"https://evil.example"), b"{}")
        finally:
            await supervisor.stop()
        assert "grüß".encode() in jupyter.heads
        assert len(jupyter.visits) == 1
    one, other = supervisor.inspector.ring
    assert [one.number, other.number] == [allowed, refused]
    assert one.peer == other.peer == "the inspector"
    assert (one.status, one.target, one.open) == (200, "/api/a%2Fb?token=[redacted]", False)
    assert (other.status, other.rule) == (403, "origin")


async def test_no_worker() -> None:
    settings = Settings.model_validate({"listen": {"tls": False, "workers": 2}})
    supervisor = Supervisor(settings, access_log=False)
    with pytest.raises(ReplayRefused, match="no worker serves"):
        await supervisor.replay(head(OWN), b"")


async def test_a_worker_that_captures_nothing() -> None:
    settings = Settings.model_validate({"listen": {"tls": False, "workers": 2}})
    supervisor = Supervisor(settings, access_log=False)
    supervisor.connect_to(UpstreamAddress("127.0.0.1", 1))
    (worker,) = await supervisor._group.start([Ports([], [])])
    try:
        await worker.ready.wait()
        with pytest.raises(ReplayRefused, match="captures nothing"):
            await supervisor.replay(head(OWN), b"")
    finally:
        await supervisor.stop()


def test_every_octet_reaches_the_worker() -> None:
    wanted = head(bytes(range(128, 256)))
    assert read_message(message_of(1, wanted, bytes(range(256)))) == (wanted, bytes(range(256)))


@pytest.mark.parametrize("left_out", [True, False])
def test_a_worker_knows_that_it_sends_again(left_out: bool) -> None:
    arrival = Arrival("127.0.0.1", sent_again=True, login_left_out=left_out)
    read, _ = read_message(message_of(1, replace(head(OWN), arrival=arrival), b""))
    assert (read.arrival.sent_again, read.arrival.login_left_out) == (True, left_out)
