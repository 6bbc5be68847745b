"""What the documents point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = ["README.md", "tests/wire/README.md", ".github/SECURITY.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files(document: str) -> None:
    file = ROOT / document
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text())
    assert links
    assert [link for link in links if not (file.parent / link).exists()] == []


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
