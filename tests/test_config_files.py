"""The examples in ``config/`` say what the code does, and what reads them accepts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from proxy.cli.arguments import parse_arguments
from proxy.cli.hub import hub_options
from proxy.config.jupyter_settings import DEFAULT_IMAGE
from proxy.config.load import load
from proxy.config.route_settings import RouteSettings
from proxy.config.section import Section
from proxy.config.settings import SECTIONS, Settings
from proxy.errors import UsageError
from proxy.net.ports import BACKLOG
from tests.conftest import require

CONFIG = Path(__file__).parent.parent / "config"
TEXT = (CONFIG / "labgate.toml").read_text("utf-8")
DEFAULT = re.compile(r"#([a-z_0-9]+ = .*)")
EXAMPLE = re.compile(r"#   ([a-z_0-9]+ = .*)")


def _uncommented(*patterns: re.Pattern[str]) -> dict[str, dict[str, Any]]:
    lines = []
    for line in TEXT.splitlines():
        found = [match for pattern in patterns if (match := pattern.fullmatch(line))]
        lines.append(found[0][1] if found else line)
    return tomllib.loads("\n".join(lines))


def _sections() -> dict[str, type[Section]]:
    sections = {name: Settings.model_fields[name].annotation for name in SECTIONS}
    assert all(isinstance(kind, type) and issubclass(kind, Section) for kind in sections.values())
    return sections  # type: ignore[return-value]


def test_the_file_as_it_is_changes_nothing() -> None:
    settings = load({}, {}, CONFIG / "labgate.toml")
    assert settings == Settings()
    assert not settings.model_dump(exclude_defaults=True)


def test_what_it_says_is_the_default_is_the_default() -> None:
    written = _uncommented(DEFAULT)
    assert Settings.model_validate(written) == Settings()


def test_every_key_is_explained_once_and_no_other() -> None:
    written = _uncommented(DEFAULT, EXAMPLE)  # tomllib refuses a key given twice
    known = {name: set(section.model_fields) for name, section in _sections().items()}
    assert {name: set(keys) for name, keys in written.items()} == known


def test_only_keys_without_a_default_of_their_own_are_examples() -> None:
    examples = _uncommented(EXAMPLE)
    without = {
        name: {key for key, field in section.model_fields.items() if field.default is None}
        for name, section in _sections().items()
    }
    assert {name: set(keys) for name, keys in examples.items()} == without


def test_every_example_is_accepted() -> None:
    examples = _uncommented(EXAMPLE)
    settings = Settings.model_validate(examples)
    assert settings.model_dump(mode="json", exclude_unset=True) == examples


def test_every_key_has_a_comment_above_it() -> None:
    blocks = [block.splitlines() for block in TEXT.split("\n\n")]
    keyed = [
        block
        for block in blocks[1:]  # the first explains the notation
        if any(DEFAULT.fullmatch(line) or EXAMPLE.fullmatch(line) for line in block)
    ]
    assert len(keyed) >= 20
    for block in keyed:
        assert block[0].startswith("# "), block
        keys = [line for line in block if DEFAULT.fullmatch(line) or EXAMPLE.fullmatch(line)]
        assert len(keys) == 1, block


def test_every_key_of_a_route_is_explained_and_the_example_is_accepted() -> None:
    first, *lines = TEXT[TEXT.index("# [[routes]]") :].splitlines()
    kept = [line.removeprefix("# ") for line in lines if not line.startswith("#     ")]
    written = tomllib.loads("\n".join(line for line in (first[2:], *kept) if line != "#"))
    ada, bob = Settings.model_validate(written).routes
    assert ada.model_fields_set == set(RouteSettings.model_fields)
    assert bob.upstream.url == "unix:/run/bob/jupyter.sock"
    assert Settings.model_validate(written).domains == ("ada.example.org", "bob.example.org")


def _service() -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for line in (CONFIG / "labgate.service").read_text("utf-8").splitlines():
        if line and line[0] not in "#;[":
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


def test_the_service_stops_no_sooner_than_labgate_does() -> None:
    (seconds,) = _service()["TimeoutStopSec"]
    assert float(seconds) >= Settings().listen.drain_seconds + 10


def test_the_service_and_the_image_return_memory() -> None:
    assert _service()["Environment"] == ["PYTHONMALLOC=malloc"]
    dockerfile = (CONFIG.parent / "Dockerfile").read_text("utf-8")
    assert re.search(r"(?m)^(?:ENV|   ) .*\bPYTHONMALLOC=malloc\b", dockerfile)


def _systemd_analyze(*arguments: str | Path) -> str:
    tool = shutil.which("systemd-analyze")
    require(tool, "no systemd-analyze", "apt-get install systemd")
    assert tool is not None
    ran = subprocess.run(
        [tool, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    return said


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a command that exists here: systemd-analyze looks for it."""
    command = tmp_path / "labgate"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    text = (CONFIG / "labgate.service").read_text("utf-8")
    assert text.count("=/usr/local/bin/labgate ") == 3
    unit = tmp_path / "labgate.service"
    unit.write_text(text.replace("/usr/local/bin/labgate ", f"{command} "))
    return unit


@pytest.mark.systemd
def test_systemd_accepts_the_service(unit: Path) -> None:
    said = _systemd_analyze("verify", "--man=no", unit)
    # It also reads the machine's own units; only what it says of this one counts.
    assert "labgate" not in said, said


@pytest.mark.systemd
def test_systemd_accepts_the_service_with_its_alternatives(unit: Path) -> None:
    """Everything the comments offer: ``serve``, a user of its own, credentials."""
    text = unit.read_text()
    text = re.sub(r"(?m)^ExecStart=.*\n", "", text)
    text, count = re.subn(r"(?m)^#(?=[A-Z]\w+=)", "", text)
    assert count == 8
    text = re.sub(r"(?m)^(User|Group|SupplementaryGroups)=.*", r"\1=root", text)
    unit.write_text(text)
    said = _systemd_analyze("verify", "--man=no", unit)
    assert "labgate" not in said, said


@pytest.mark.systemd
def test_systemd_accepts_the_socket(unit: Path) -> None:
    shutil.copy(CONFIG / "labgate.socket", unit.parent)
    said = _systemd_analyze("verify", "--man=no", unit.with_suffix(".socket"), unit)
    assert "labgate" not in said, said


def test_the_socket_has_labgates_ports() -> None:
    text = (CONFIG / "labgate.socket").read_text("utf-8")
    settings = Settings.model_validate({"site": {"domains": ["lab.example.org"]}})
    ports = [str(settings.https_port), str(settings.http_port)]
    assert re.findall(r"(?m)^ListenStream=(.*)", text) == ports
    assert re.findall(r"(?m)^Backlog=(.*)", text) == [str(BACKLOG)]


def test_the_service_is_started_again_however_it_ends() -> None:
    service, text = _service(), (CONFIG / "labgate.service").read_text("utf-8")
    assert service["Restart"] == ["on-failure"]
    assert service["RestartPreventExitStatus"] == [str(UsageError.exit_code)]
    assert service["OOMPolicy"] == ["continue"]
    # It never gives up: so many starts do not fit into the interval.
    assert "StartLimitIntervalSec=1min\nStartLimitBurst=15" in text
    assert float(service["RestartSec"][0]) * 15 > 60


@pytest.mark.systemd
def test_the_service_is_confined(unit: Path) -> None:
    said = _systemd_analyze("security", "--offline=true", "--no-pager", unit)
    exposure = re.search(r"exposure level for labgate\.service: ([0-9.]+)", said)
    assert exposure, said
    # systemd's own scale from 0 to 10; a service without any of it has 9.6.
    assert float(exposure[1]) <= 2, said


def _compose() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((CONFIG / "compose.yaml").read_text("utf-8"))
    return compose


def test_compose_publishes_labgate_alone() -> None:
    services = _compose()["services"]
    assert set(services) == {"jupyter", "labgate"}
    assert "ports" not in services["jupyter"]
    assert "network_mode" not in services["jupyter"]
    assert all(port.startswith("127.0.0.1:") for port in services["labgate"]["ports"])


def test_compose_keeps_what_is_saved_where_lab_opens() -> None:
    compose = _compose()
    mounts = dict(mount.split(":")[::-1] for mount in compose["services"]["jupyter"]["volumes"])
    assert mounts == {"/home/jovyan": "home", "/home/jovyan/work": "work"}
    assert {"home", "work"} <= set(compose["volumes"])


def test_compose_configures_what_there_is() -> None:
    services = _compose()["services"]
    environment = services["labgate"]["environment"]
    settings = load({}, {**environment, "LABGATE_LISTEN__BIND": "0.0.0.0"}, CONFIG / "labgate.toml")
    assert settings.upstream.url == "http://jupyter:8888"
    published = {int(port.rpartition(":")[2]) for port in services["labgate"]["ports"]}
    assert published == {settings.https_port, settings.http_port}
    assert services["jupyter"]["image"] == DEFAULT_IMAGE
    assert int(services["labgate"]["stop_grace_period"][:-1]) > settings.listen.drain_seconds


def test_compose_says_which_version_it_needs() -> None:
    """The first version, docker-compose 1.29, says no more than that it does not know ``name``."""
    assert "name" in _compose()
    header = (CONFIG / "compose.yaml").read_text("utf-8").partition("\nname:")[0]
    assert "needs Docker\n# Compose 2 (`docker compose version`)" in header


def test_compose_offers_what_there_is() -> None:
    text = (CONFIG / "compose.yaml").read_text("utf-8")
    offered = re.findall(r"(?m)^ +# (LABGATE_\w+): \"?([^\"\n]+)", text)
    assert len(offered) == 5
    real, ingress = dict(offered[:3]), dict(offered[3:])
    assert load({}, real, CONFIG / "labgate.toml").https_port == 443
    assert load({}, ingress, CONFIG / "labgate.toml").http_port == 8080


def test_the_locks_name_no_package_index() -> None:
    """They install from whatever index the machine they are used on is set up for."""
    locks = sorted((CONFIG.parent / ".ci").glob("*.lock"))
    assert [lock.stem for lock in locks] == ["build", "dev", "mutants", "runtime", "tools", "up"]
    for lock in locks:
        for line in lock.read_text("utf-8").splitlines():
            assert not re.search(r"^-|://|file:| @ |/(opt|tmp|root|work)/", line), (lock, line)


def test_the_locks_agree() -> None:
    """An image and a laptop run what was tested."""
    pinned = {}
    for lock in sorted((CONFIG.parent / ".ci").glob("*.lock")):
        pinned[lock.stem] = set(re.findall(r"(?m)^[a-z][^ ]*==[^ ]+", lock.read_text("utf-8")))
        assert pinned[lock.stem]
    assert pinned["runtime"] <= pinned["up"] <= pinned["dev"]


def test_the_image_has_the_command_of_jupyterhubs_chart() -> None:
    text = (CONFIG.parent / "Dockerfile").read_text("utf-8")
    assert "exec /opt/labgate/bin/labgate hub" in text
    assert "/usr/local/bin/configurable-http-proxy" in text


def test_the_stack_of_a_hub_has_flags_that_there_are() -> None:
    stack = yaml.safe_load((CONFIG / "swarm" / "compose.yaml").read_text("utf-8"))
    proxy = stack["services"]["proxy"]
    parsed = parse_arguments(["hub", *proxy["command"]])
    options = hub_options(parsed, {"CONFIGPROXY_AUTH_TOKEN": "x"})
    assert options.warnings == ()
    assert proxy["ports"] == [
        {"target": options.public.port, "published": "${PUBLIC_PORT:-8000}", "mode": "host"}
    ]
    assert f":{options.public.port}/_chp_healthz" in proxy["healthcheck"]["test"][-1]
    assert float(proxy["stop_grace_period"].rstrip("s")) > options.drain_seconds
    assert f"http://proxy:{options.api.port}" in (CONFIG / "swarm/jupyterhub_config.py").read_text()


def test_the_values_for_the_chart_name_an_image_alone() -> None:
    values = yaml.safe_load((CONFIG / "kubernetes/jupyterhub/values.yaml").read_text("utf-8"))
    assert set(values) == {"proxy"}
    assert set(values["proxy"]["chp"]) == {"image"}
