"""``labgate doctor`` as a process, as a script would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.symptoms.mends import EXAMPLES
from tests.doctor.configuration import Configuration
from tests.doctor.configurations import WRONG, first_of_each_symptom
from tests.doctor.conftest import Start
from tests.doctor.proxy_program import Proxy
from tests.e2e.programs import ROOT, TOKEN


@dataclass(frozen=True)
class Run:
    """What ``labgate doctor --json`` printed."""

    report: dict[str, Any]

    @property
    def found(self) -> list[str]:
        return [finding["id"] for finding in self.report["findings"]]

    @property
    def mends(self) -> list[dict[str, str]]:
        """Of each finding."""
        return [finding["mend"] for finding in self.report["findings"]]

    @property
    def mend(self) -> dict[str, str]:
        """Of the first finding."""
        return self.mends[0]

    def __str__(self) -> str:
        return json.dumps(self.report, indent=2)


def doctor(url: str, authority: Path, http_port: int) -> Run:
    """Examine an address; fails unless the exit code says what the report says."""
    command = [sys.executable, "-m", "proxy", "doctor", url, "--json"]
    ended = subprocess.run(
        [*command, "--ca", str(authority), "--http-port", str(http_port)],
        cwd=ROOT,
        env=os.environ | {"LABGATE_DOCTOR_TOKEN": TOKEN},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert ended.returncode in (0, 1), ended.stderr
    run = Run(json.loads(ended.stdout))
    assert ended.returncode == (1 if run.found else 0), ended.stdout
    return run


def examine(proxy: Proxy) -> Run:
    """Examine a proxy of ``tests.doctor.proxies``."""
    return doctor(proxy.url, proxy.certificates.authority, proxy.http_port)


NOT_MENDED_BY_PASTING = {
    "sso-redirect": "calls then get 401, which is right, from a login that the doctor has not",
    "base-url": "Jupyter has to know the path, too: tests/doctor/test_other_configurations.py",
}


def check(name: str, start: Start, *, mends: bool = True) -> None:
    """A wrong configuration has its finding and no other, and none with the finding's lines.

    Args:
        name: Of the configuration.
        start: The fixture.
        mends: Whether the lines are pasted, too.
    """
    configuration, symptom = WRONG[name]
    proxy = start(configuration)
    wrong = examine(proxy)
    assert wrong.found == [symptom], wrong
    if mends and symptom not in NOT_MENDED_BY_PASTING and name in first_of_each_symptom():
        proxy.restart(mended(proxy, wrong.mend))
        right = examine(proxy)
        assert right.found == [], right


def mended(proxy: Proxy, *mends: Mapping[str, str]) -> Configuration:
    """With these mends; their reader fills in what nobody else could know."""
    configuration = proxy.configuration
    for mend in mends:
        configuration = configuration.pasted(filled_in(proxy, mend[proxy.name]))
    return configuration


def filled_in(proxy: Proxy, lines: str) -> str:
    """A mend with the addresses and the files of this machine."""
    certificates = proxy.certificates
    there = {
        EXAMPLES["upstream"]: proxy.upstream,
        "listen 80;": f"listen 127.0.0.1:{proxy.http_port};",
        "listen [::]:80;": f"listen [::1]:{proxy.http_port};",
        'address: ":80"': f'address: "127.0.0.1:{proxy.http_port}"',
        f'address: ":{proxy.port}"': f'address: "127.0.0.1:{proxy.port}"',
        "/etc/letsencrypt/live/localhost/fullchain.pem": str(certificates.cert("good")),
        "/etc/letsencrypt/live/localhost/privkey.pem": str(certificates.key("good")),
        "192.0.2.0/24": "127.0.0.0/8",
        "2001:db8::/32": "::1/128",
    }
    for example, real in there.items():
        lines = lines.replace(example, real)
    return lines
