"""Every mend is pasted into a real configuration, and the real program reads it.

Traefik is asked by tests/doctor/test_traefik.py, with the other tests of the doctor at proxies.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from traitlets.config import Config

from proxy.config.load import load
from proxy.symptoms.mends import LINES, filled
from proxy.symptoms.model import SYMPTOMS, mend
from tests.doctor.certificates import Certificates
from tests.doctor.configurations import RIGHT
from tests.doctor.proxies import proxy
from tests.e2e.programs import free_port

FACTS = {"domain": "localhost", "port": "8443", "upstream": "127.0.0.1:8888", "path": "/"}
NOTHING_TO_PASTE = {
    "files-refused",
    "foreign-page",
    "jupyter-error",
    "login-missing",
    "malformed-request",
    "malformed-response",
    "not-found",
    "not-jupyter",
    "proxy-error",
    "tls-expected",
}
"""Nothing is set up wrongly, or nobody knows what."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def rows(*servers: str) -> list[tuple[str, str]]:
    return [(server, symptom) for server in servers for symptom in LINES[server]]


@pytest.mark.parametrize(
    ("server", "symptom"), rows(*(server for server in RIGHT if server != "traefik"))
)
def test_the_server_accepts_its_mends(
    server: str, symptom: str, tmp_path: Path, certificates: Certificates
) -> None:
    # What is there on the reader's machine, and ports that a test may have.
    here = {
        r"/etc/letsencrypt/live/localhost/fullchain\.pem": str(certificates.cert("good")),
        r"/etc/letsencrypt/live/localhost/privkey\.pem": str(certificates.key("good")),
        r"/etc/haproxy/localhost\.pem": str(certificates.both("good")),
        r"\b80\b": str(free_port()),
    }
    lines = mend(symptom, {**FACTS, "port": str(free_port())})[server]
    for there, value in here.items():
        lines = re.sub(there, value, lines)
    pasted = RIGHT[server].pasted(lines)
    written = proxy(tmp_path, pasted, FACTS["upstream"], certificates)
    checked = subprocess.run(written.check(), capture_output=True, text=True, check=False)
    output = checked.stdout + checked.stderr
    assert checked.returncode == 0, f"{output}\n{written.file.read_text()}"
    assert not re.search(r"\[(warn|emerg|WARNING|ALERT)", output), output


@pytest.mark.parametrize(("server", "symptom"), rows("jupyter"))
def test_jupyter_has_the_settings_that_a_mend_names(server: str, symptom: str) -> None:
    # It takes a second to import, and every worker of pytest-xdist imports this file.
    from jupyter_server.auth.identity import (  # noqa: PLC0415
        IdentityProvider,
        PasswordIdentityProvider,
    )
    from jupyter_server.serverapp import ServerApp  # noqa: PLC0415

    config = Config()
    exec(mend(symptom, {**FACTS, "domain": "lab.example.org"})[server], {"c": config})
    known = {
        "ServerApp": ServerApp,
        "IdentityProvider": IdentityProvider,
        "PasswordIdentityProvider": PasswordIdentityProvider,
    }
    assert config
    for name, section in config.items():
        configured = known[name](config=config)
        for trait, value in section.items():
            assert trait in configured.trait_names(config=True)
            assert getattr(configured, trait) == value


@pytest.mark.parametrize(("server", "symptom"), rows("labgate"))
def test_labgate_reads_its_mends(server: str, symptom: str, tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    for domain in ("lab.example.org", "localhost"):
        file.write_text(mend(symptom, {"domain": domain})[server])
        load({}, {}, file)


def test_every_symptom_of_a_proxy_has_a_mend() -> None:
    without = {symptom for symptom in SYMPTOMS if not mend(symptom, {})}
    assert without == NOTHING_TO_PASTE


@pytest.mark.parametrize(("server", "symptom"), rows(*LINES))
def test_everything_is_filled_in(server: str, symptom: str) -> None:
    assert not re.search(r"@[a-z-]+@", mend(symptom, {})[server])


OPENS_JUPYTER = [
    r"allow_origin(_pat)? = \S*[*.]",
    r"disable_check_xsrf = True",
    r"allow_remote_access",
    r"proxy_set_header Origin (?!\$http_origin;|\$jupyter_origin;)",
    r"header_up Origin",
    r"^request_header Origin",
    r"set-header Origin (?!.* if )",
    r"RequestHeader set Origin",
    r"^ +Origin:",
    r"Access-Control",
]
"""What people paste that lets pages of other sites in."""


@pytest.mark.parametrize(("server", "symptom"), rows(*LINES))
def test_no_mend_lets_other_sites_in(server: str, symptom: str) -> None:
    lines = mend(symptom, {})[server].splitlines()
    pasted = [line for line in lines if not line.startswith("#")]
    assert [line for line in pasted for open_ in OPENS_JUPYTER if re.search(open_, line)] == []


def test_a_router_that_a_mend_adds_is_for_this_name_and_path_alone() -> None:
    """Or what else has this name would lose the middlewares of its own router."""
    for lines in LINES["traefik"].values():
        for rule in re.findall("rule: (.*)", lines):
            assert "Host(`@domain@`) && PathPrefix(`@path@`)" in rule


@pytest.mark.parametrize(
    "server", [server for server in LINES if "access-refused" in LINES[server]]
)
def test_an_allow_list_is_not_taken_away(server: str) -> None:
    lines = LINES[server]["access-refused"].splitlines()
    assert any("192.0.2.0/24" in line for line in lines if not line.startswith("#"))


FILLED = [
    ("@origin@", {}, "https://lab.example.org"),
    ("@origin@", {"domain": "a.example", "port": "8443"}, "https://a.example:8443"),
    ("@authority-pattern@", {}, r"lab\.example\.org(:443)?"),
    ("@origin-pattern@", {"port": "8443"}, r"https://lab\.example\.org:8443"),
    ("@upstream-pattern@", {"upstream": "[::1]:8888"}, r"\[::1\]:8888"),
    ("http://@upstream@@path@", {"path": "lab"}, "http://127.0.0.1:8888/lab/"),
    ("@path@", {"path": ""}, "/"),
    ("@path@", {"path": "/"}, "/"),
    ("@domain@", {"domain": "a; return 200;\nx"}, "lab.example.org"),
    ("@domain@", {"unknown": "x"}, "lab.example.org"),
]


@pytest.mark.parametrize(("lines", "facts", "expected"), FILLED)
def test_filled(lines: str, facts: dict[str, str], expected: str) -> None:
    assert filled(lines, facts) == expected
