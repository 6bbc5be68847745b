"""The metrics of several workers are one: their sum, which never goes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.programs import Labgate, free_port, until
from tests.e2e.test_workers import workers


def scraped(port: int) -> dict[str, float]:
    """The sum of each metric over its labels."""
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    sums: dict[str, float] = {}
    for family in families:
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def test_what_a_worker_counted_lives_on(tmp_path: Path) -> None:
    port = free_port()
    labgate = Labgate(
        tmp_path,
        "serve",
        *("--upstream", "http://127.0.0.1:9", "--bind", "127.0.0.1", "--workers", "2"),
        *("--metrics", f"127.0.0.1:{port}"),
        environment={"LABGATE_LOG__FORMAT": "text"},
        tls=False,
    )
    labgate.environment["LABGATE_LISTEN__TLS"] = "false"
    with labgate:
        asked = 20
        for _ in range(asked):
            assert labgate.ask("GET", "/.labgate/health").status == 200
        seen = scraped(port)
        assert seen["labgate_requests_total"] == asked
        assert seen["labgate_request_duration_seconds_count"] == asked
        assert seen["labgate_upstream_up"] == 0
        assert seen["labgate_resident_memory_bytes"] > 3 * 20 * 2**20, "of all three processes"
        before = workers(labgate)
        one = min(before)
        # Not told to the metrics yet when the worker is told to end.
        for _ in range(asked):
            labgate.ask("GET", "/.labgate/health")
        os.kill(one, signal.SIGTERM)
        until(lambda: one not in workers(labgate) and len(workers(labgate)) == 2, "not replaced")
        until(lambda: scraped(port)["labgate_requests_total"] == 2 * asked, "some were lost")
        assert labgate.ask("GET", "/.labgate/health").status == 200
        assert scraped(port)["labgate_requests_total"] == 2 * asked + 1
