"""That two checkouts are compared, and that a request is profiled; the figures mean nothing."""

from __future__ import annotations

import cProfile
from pathlib import Path

import pytest

from proxy.http1.server_connection import ServerConnection
from tests.bench.certificates import make_certificate
from tests.bench.machine import LOAD_CORE, PROXY_CORE
from tests.bench.pair import CASES, measured
from tests.bench.peers import Labgate
from tests.bench.request_profile import CASES as REQUESTS
from tests.bench.request_profile import run
from tests.bench.running import Behind, start_upstream


@pytest.mark.slow
def test_both_get_the_same_batches(tmp_path: Path) -> None:
    upstream, port = start_upstream(tmp_path, {LOAD_CORE})
    certificate = make_certificate(tmp_path)
    behind = Behind(upstream, port, certificate, tmp_path, frozenset({PROXY_CORE}))
    try:
        for name in CASES:
            other, this = measured(name, [Labgate(), Labgate()], behind, 2)
            assert len(other) == len(this) == 2
            assert min(*other, *this) > 0
    finally:
        upstream.stop()


@pytest.mark.parametrize("case", REQUESTS)
async def test_every_request_of_a_round_is_responded_to(case: str) -> None:
    profile = cProfile.Profile()
    assert await run(REQUESTS[case], profile, rounds=2, requests=10) > 0
    calls = {
        entry.code: entry.callcount for entry in profile.getstats() if not isinstance(entry, str)
    }
    assert calls[ServerConnection.data_received.__code__] == 20
