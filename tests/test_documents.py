"""What the documents point to is there."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

import proxy
from proxy.cli.arguments import parse_arguments
from tests.config.test_problems import keys

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    "README.md",
    "config/swarm/README.md",
    "tests/mutants/README.md",
    "tests/wire/README.md",
    ".github/ARCHITECTURE.md",
    ".github/CLIENTS.md",
    ".github/CONTRIBUTING.md",
    ".github/JUPYTERHUB.md",
    ".github/MIGRATING.md",
    ".github/OPERATING.md",
    ".github/SECURITY.md",
    ".github/STORAGE.md",
    ".github/TROUBLESHOOTING.md",
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_to_sections_of_them(document: str) -> None:
    file = ROOT / document
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", file.read_text("utf-8"))
    assert links
    for path, section in links:
        target = file.parent / path if path else file
        assert target.exists(), path
        assert not section or section in anchors(target), f"{path}#{section}"


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.*)$", document.read_text("utf-8"))
    return {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}


def test_the_threat_model_names_tests_that_exist() -> None:
    text = (ROOT / ".github/SECURITY.md").read_text()
    named = re.findall(r"`(tests/[\w/.]+)?(?:::(test_\w+))?`", text)
    assert len(named) > 20
    file = ROOT
    for path, test in named:
        if path:
            file = ROOT / path
            assert file.exists(), path
        if test:
            assert f"def {test}(" in file.read_text(), f"{file}::{test}"


CONTRIBUTING = (ROOT / ".github/CONTRIBUTING.md").read_text("utf-8")


def test_the_files_and_folders_that_contributing_names_exist() -> None:
    named = re.findall(r"`((?:\.ci|config|proxy|tests)/[\w./-]*)`", CONTRIBUTING)
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_commands_of_contributing_exist() -> None:
    targets = set(re.findall(r"`make ([a-z]+)", CONTRIBUTING))
    defined = re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"))
    assert targets == set(defined)
    modules = re.findall(r"python -m ([\w.]+)", CONTRIBUTING)
    assert modules
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def test_the_workflow_runs_all_that_test_all_does() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
    matrix = jobs["linux"]["strategy"]["matrix"]
    run = {*matrix["target"], *(further["target"] for further in matrix["include"])}
    test_all = re.search(r"(?m)^test-all: (.*)$", (ROOT / "Makefile").read_text("utf-8"))
    assert test_all is not None
    assert run == set(test_all[1].split())


TEMPLATES = ("pull_request_template.md", "ISSUE_TEMPLATE/bug.yml")


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_templates_ask_for_what_helps(template: str) -> None:
    text = (ROOT / ".github" / template).read_text("utf-8")
    assert "labgate check" in text
    assert "--show-headers" in text


README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_shows_the_way_of_a_request_in_six_lines() -> None:
    shown = README.split("\n## How it works\n", 1)[1].split("```\n", 2)[1]
    assert len(shown.splitlines()) <= 6
    names = re.compile(r"\b[a-z]\w*\.[a-z]\w*")
    every_step = iter(names.findall(str(proxy.__doc__)))
    # In the order of proxy/__init__.py: membership in an iterator looks only further on.
    assert [step for step in names.findall(shown) if step not in every_step] == []


@pytest.mark.parametrize(
    ("document", "least"),
    [
        ("README.md", 3),
        (".github/JUPYTERHUB.md", 1),
        (".github/STORAGE.md", 3),
        (".github/TROUBLESHOOTING.md", 3),
    ],
)
def test_the_commands_of_the_documents_are_understood(document: str, least: int) -> None:
    joined = (ROOT / document).read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?m)^[#$] (?:LABGATE_\S+ )*labgate (.*)$", joined)
    assert len(lines) >= least
    for line in lines:
        parse_arguments(shlex.split(line.partition(" >> ")[0], comments=True))


@pytest.mark.parametrize(
    "document",
    ["README.md", ".github/CLIENTS.md", ".github/MIGRATING.md", ".github/TROUBLESHOOTING.md"],
)
def test_the_keys_that_are_named_exist(document: str) -> None:
    known = {f"{section}.{key}" for section, key in keys()}
    sections = "|".join(sorted({key.partition(".")[0] for key in known}))
    named = set(
        re.findall(rf"`((?:{sections})\.[a-z_]+)(?: = [^`]*)?`", (ROOT / document).read_text())
    )
    assert len(named) > 3
    assert named <= known | {"upstream.pool", "upstream.relay", "upstream.tunnel"}


def test_the_locks_that_are_installed_from_exist() -> None:
    named = set(re.findall(r"\.ci/\w+\.lock", README))
    assert named
    assert all((ROOT / lock).exists() for lock in named)


def test_two_commands_of_the_readme_set_everything_up() -> None:
    block = README.partition("## Two commands")[2].partition("```console\n")[2].partition("```")[0]
    assert [line.split("  ")[0] for line in block.splitlines()[1:]] == ["$ make up", "$ make test"]
