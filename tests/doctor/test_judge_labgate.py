"""A refusal of labgate's own is not taken for one of Jupyter's: by its answers, and for real.

The mend for the proxy in front is then pasted, and the refusal is gone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.doctor.answer import Answer
from proxy.doctor.finding import Finding
from proxy.doctor.judge.entry import from_jupyter, judge_jupyter
from proxy.doctor.judge.labgate import judge_by_labgate
from proxy.doctor.judge.login import judge_call, judge_login
from proxy.doctor.target import Target
from proxy.rules.origin import NO_SUCH_SITE, OTHER_CONNECTION, OTHER_SITE
from tests.doctor.certificates import Certificates
from tests.doctor.examinations import examined, identifiers
from tests.e2e.programs import Jupyter, Labgate, Nginx, free_port

LAB = Target("https", "lab.example.org", 443)
OK = Answer("POST /login", 302, [("Location", "/"), ("Set-Cookie", "username-x=1")])


def refused(status: int, sentence: str, *, as_json: bool = False) -> Answer:
    """As labgate answers a program, and one that asks for JSON."""
    content = f"{sentence}\n"
    if as_json:
        content = json.dumps({"message": sentence, "reason": "host", "request_id": "e684-1"})
    return Answer("GET /api", status, [("X-Request-Id", "e684-1")], content.encode())


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("sentence", [NO_SUCH_SITE, OTHER_CONNECTION])
def test_its_421_is_about_its_domains(sentence: str, as_json: bool) -> None:
    answer = refused(421, sentence, as_json=as_json)
    found = judge_jupyter(answer, LAB)
    assert found is not None
    assert (found.id, found.field) == ("host-not-served", "Host")
    assert "labgate's own words; its log has the request as e684-1" in found.received
    assert "JupyterHandler" not in found.symptom.check
    assert not from_jupyter(answer)


@pytest.mark.parametrize("as_json", [False, True])
def test_its_403_is_about_origin(as_json: bool) -> None:
    answer = refused(403, OTHER_SITE, as_json=as_json)
    for found in (judge_login(answer, OK), judge_call(answer, Answer("", 201))):
        assert found is not None
        assert (found.id, found.field) == ("origin-not-served", "Origin")


def test_a_421_of_another_server_is_not_its_own() -> None:
    assert judge_by_labgate(Answer("GET /api", 421, [], b"not here")) is None
    assert judge_by_labgate(Answer("GET /api", 200, [], NO_SUCH_SITE.encode())) is None


def test_the_mends_pass_host_on_and_name_the_site() -> None:
    facts = {"domain": "localhost", "port": "31303", "upstream": "127.0.0.1:31301"}
    for symptom in ("host-not-served", "origin-not-served"):
        mends = Finding(symptom, "Host", "GET /api", "421", facts).mends
        assert "proxy_set_header Host $http_host;" in mends["nginx"]
        assert "--domain localhost:31303" in mends["labgate"]
        assert "jupyter" not in mends
        assert [lines for lines in mends.values() if "127.0.0.1:31301" in lines] == []


@pytest.mark.proxies
@pytest.mark.jupyter
@pytest.mark.nginx
@pytest.mark.usefixtures("jupyterlab")
@pytest.mark.parametrize(
    ("host", "named", "symptom"),
    [
        ("", "localhost:{port}", "host-not-served"),
        ("proxy_set_header Host $host;", "localhost:443", "origin-not-served"),
    ],
)
async def test_the_recipe_in_front_of_labgate(
    host: str,
    named: str,
    symptom: str,
    jupyter: Jupyter,
    certificates: Certificates,
    tmp_path: Path,
) -> None:
    port = free_port()
    serve = ("serve", "--no-tls", "--trusted-proxy", "127.0.0.1", "--upstream", jupyter.upstream)
    domain = ("--domain", named.format(port=port))
    with Labgate(tmp_path, *serve, *domain, tls=False) as labgate:

        def nginx(lines: str) -> Nginx:
            server = f"""
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificates.cert("good")};
        ssl_certificate_key {certificates.key("good")};
        large_client_header_buffers 4 32k;
        location / {{
            proxy_pass http://127.0.0.1:{labgate.http_port};
            {lines}
        }}
    }}"""
            return Nginx(tmp_path, port, server)

        url = f"https://localhost:{port}"
        with nginx(host):
            report = await examined(url, certificates.authority)
        assert identifiers(report) == [symptom], report.findings
        assert report.server == "nginx"
        with nginx(report.findings[0].mends["nginx"]):
            mended = await examined(url, certificates.authority)
        assert symptom not in identifiers(mended)
        assert ("login" in mended.passed) == (symptom == "host-not-served")
