"""config/kubernetes: rendered, held to Kubernetes' schema, and its pod run on the real engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from proxy.config.load import load
from tests.conftest import PULL_TEST_IMAGE, TEST_IMAGE, require
from tests.deployment.image import answers, docker
from tests.e2e.programs import ROOT, until
from tests.engine_names import new_name

OVERLAYS = ROOT / "config/kubernetes/overlays"
INSTALL_KUBECTL = "apt-get install kubernetes-client"
CUSTOM = "cert-manager.io/"
"""Kinds that others define have no schema here."""
DOMAIN = "lab.example.org"
TOKEN = "a-token-of-this-test"

pytestmark = pytest.mark.deployment

Document = dict[str, Any]


def rendered(overlay: str) -> list[Document]:
    """The documents of an overlay, as ``kubectl apply -k`` would send them."""
    require(shutil.which("kubectl"), "no kubectl", INSTALL_KUBECTL)
    ran = subprocess.run(
        ["kubectl", "kustomize", str(OVERLAYS / overlay)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return [document for document in yaml.safe_load_all(ran.stdout) if document]


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


def environment(documents: list[Document]) -> dict[str, str]:
    """What labgate's container gets."""
    (values,) = of_kind(documents, "ConfigMap")
    data: dict[str, str] = values["data"]
    return data


def containers(documents: list[Document]) -> dict[str, Document]:
    (deployment,) = of_kind(documents, "Deployment")
    return {part["name"]: part for part in deployment["spec"]["template"]["spec"]["containers"]}


@pytest.fixture(scope="module", params=sorted(path.name for path in OVERLAYS.iterdir()))
def documents(request: pytest.FixtureRequest) -> list[Document]:
    return rendered(request.param)


def test_each_document_follows_the_schema(documents: list[Document]) -> None:
    # The import takes more than a second, in each process that collects this file.
    import kubernetes_validate  # type: ignore[import-untyped] # noqa: PLC0415

    version = kubernetes_validate.latest_version()
    for document in documents:
        if not document["apiVersion"].startswith(CUSTOM):
            kubernetes_validate.validate(document, version, strict=True)


def test_the_configuration_is_one_that_labgate_takes(documents: list[Document]) -> None:
    settings = load({}, environment(documents), None)
    assert settings.origins[0] == ("https", DOMAIN, 443)
    assert settings.upstream.url == "http://127.0.0.1:8888"


def test_every_name_that_is_used_is_there(documents: list[Document]) -> None:
    """The generated name of the ConfigMap, ports by name, the claim, the domain."""
    own = containers(documents)["labgate"]
    (values,) = of_kind(documents, "ConfigMap")
    assert own["envFrom"] == [{"configMapRef": {"name": values["metadata"]["name"]}}]
    ports = {port["name"] for port in own["ports"]}
    services = of_kind(documents, "Service")
    assert {port["targetPort"] for item in services for port in item["spec"]["ports"]} <= ports
    for policy in of_kind(documents, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", ()):
            assert {port["port"] for port in rule["ports"]} <= ports
    for ingress in of_kind(documents, "Ingress"):
        assert [rule["host"] for rule in ingress["spec"]["rules"]] == [DOMAIN]


def test_the_probes_are_the_images_health_check(documents: list[Document]) -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    found = re.search(r"HEALTHCHECK[^\[]*(\[.*\])", text)
    assert found is not None
    own = containers(documents)["labgate"]
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        assert own[probe]["exec"]["command"] == json.loads(found[1])


def confinement(container: Document) -> list[str]:
    """A container's security context, as options of ``docker run``."""
    context = container["securityContext"]
    options = ["--user", f"{context['runAsUser']}:100", "--security-opt", "no-new-privileges"]
    options += [word for name in context["capabilities"]["drop"] for word in ("--cap-drop", name)]
    return options + (["--read-only"] if context.get("readOnlyRootFilesystem") else [])


@pytest.fixture
def pod(labgate_image: str) -> Iterator[str]:
    """Both containers of the pod in one network namespace; the name of that of Jupyter."""
    require(answers("image", "inspect", TEST_IMAGE), f"no image {TEST_IMAGE}", PULL_TEST_IMAGE)
    documents = rendered("ingress-plain")
    parts, name = containers(documents), new_name()
    with ExitStack() as stack:
        jupyter = [*confinement(parts["jupyter"]), "--env", f"JUPYTER_TOKEN={TOKEN}"]
        place = ["--name", name, "--publish", "127.0.0.1::8080"]
        stack.callback(answers, "rm", "--force", "--volumes", name)
        docker("run", "--detach", *place, *jupyter, TEST_IMAGE, *parts["jupyter"]["args"])
        given = environment(documents).items()
        own = [word for key, value in given for word in ("--env", f"{key}={value}")]
        # As an emptyDir is: anybody's.
        own += [*confinement(parts["labgate"]), "--tmpfs", "/var/lib/labgate:mode=1777"]
        place = ["--name", f"{name}-labgate", "--network", f"container:{name}"]
        stack.callback(answers, "rm", "--force", "--volumes", f"{name}-labgate")
        docker("run", "--detach", *place, *own, labgate_image, *parts["labgate"]["args"])
        yield name


@pytest.mark.docker
def test_the_pod_serves_lab(pod: str, tmp_path: Path) -> None:
    own = containers(rendered("ingress-plain"))["labgate"]
    probe = ["exec", f"{pod}-labgate", *own["livenessProbe"]["exec"]["command"]]
    until(lambda: answers(*probe), "the probe never succeeded", 60)
    address = docker("port", pod, "8080/tcp")
    seen = tmp_path / "seen"

    def status(*options: str) -> str:
        command = ["curl", "--silent", "--output", str(seen), "--write-out", "%{http_code}"]
        command += ["--header", f"Host: {DOMAIN}", *options, f"http://{address}/api/status"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    login = ("--header", f"Authorization: token {TOKEN}")
    until(lambda: status(*login) == "200", "Jupyter did not answer through labgate", 60)
    assert status() == "403"
    assert status(*login, "--header", "Origin: https://elsewhere.example.org") == "403"
    assert status(*login, "--header", f"Origin: https://{DOMAIN}") == "200"
    other = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", pod)
    past = ["curl", "--silent", "--max-time", "5", f"http://{other}:8888/api"]
    assert subprocess.run(past, check=False).returncode == 7, "Jupyter listens on loopback alone"
