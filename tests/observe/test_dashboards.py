"""The dashboard and the alerts in ``config``: every metric they name is exported, and is used.

Prometheus' own promtool tries the alerts and reads the metrics.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.certs.managed_certificate import ManagedCertificate
from proxy.certs.sources import CertificateSource
from proxy.observe.measurements import Counts, Now
from proxy.observe.metrics import JupyterState, metrics_of
from tests.conftest import require

CONFIG = Path(__file__).parents[2] / "config"
RULES = CONFIG / "prometheus/labgate.rules.yml"
DASHBOARD = CONFIG / "grafana/labgate.json"

NAME = re.compile(r"\blabgate_[a-z_]+")


class Everything(Collector):
    """Each metric, with one sample at least of those that tests do not make."""

    def collect(self) -> list[Metric]:
        counts = Counts({"forwarded 2xx": 1}, {"origin": 1})
        certificate = ManagedCertificate(
            CertificateSource("lab", "files", Path("a"), Path("b")), fault="none there"
        )
        jupyter = JupyterState(answers=True, phase="running", restarts=0)
        return metrics_of(counts, Now(), jupyter, [certificate])


def exported() -> set[str]:
    """The name of every sample that there can be."""
    names: set[str] = set()
    for metric in Everything().collect():
        suffixes = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_count", "_sum"],
        }.get(metric.type, [""])
        names.update(metric.name + suffix for suffix in suffixes)
    return names


def shown() -> set[str]:
    """The metrics of the dashboard."""
    dashboard = json.loads(DASHBOARD.read_text())
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    variables = [one["query"] for one in dashboard["templating"]["list"]]
    return set(NAME.findall(" ".join([*expressions, *variables])))


def test_the_dashboard_and_the_alerts_name_what_is_exported() -> None:
    alerts = set(NAME.findall(RULES.read_text()))
    assert shown() <= exported()
    assert alerts <= exported()
    left_out = {name for name in exported() - shown() - alerts if "certificate" not in name}
    assert {name for name in left_out if not name.endswith(("_count", "_sum"))} == set()


@pytest.fixture
def promtool() -> str:
    tool = shutil.which("promtool")
    require(tool, "no promtool", "apt-get install prometheus")
    assert tool is not None
    return tool


@pytest.mark.prometheus
def test_the_alerts_come_when_they_should(promtool: str, tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(Path(__file__).parent / "alerts.yml", tmp_path)
    for command in (["check", "rules", RULES.name], ["test", "rules", "alerts.yml"]):
        ran = subprocess.run(
            [promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.prometheus
def test_prometheus_finds_no_fault_with_the_metrics(promtool: str) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Everything())
    ran = subprocess.run(
        [promtool, "check", "metrics"],
        input=generate_latest(registry),
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr).decode()
