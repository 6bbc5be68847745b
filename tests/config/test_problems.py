"""Every wrong value is explained in a sentence: where it is, what it is, what is expected."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.config.load import load
from proxy.config.problems import EXAMPLES, SECRETS, example_of
from proxy.config.route_settings import RouteSettings
from proxy.config.section import Section
from proxy.config.settings import SECTIONS, Settings
from proxy.errors import UsageError

RAW = re.compile(
    r"Input should|String should|Value error|unable to|pydantic|valid \w+|type=|\bNone\b"
)
WRONG = ["many", -1, 0, 99999, 1.5, True, 1979, {"a": 1}, ["many", 5], [[5]], "", "a" * 300]


def keys() -> list[tuple[str, str]]:
    found = []
    for section in SECTIONS:
        kind = Settings.model_fields[section].annotation
        assert isinstance(kind, type)
        assert issubclass(kind, Section)
        found += [(section, key) for key in kind.model_fields]
    return found


def errors_of(file: Path, flags: dict[str, Any], environment: dict[str, str]) -> str:
    """What is said, or nothing where the value is fine."""
    try:
        load(flags, environment, file)
    except UsageError as error:
        return str(error)
    return ""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    file = tmp_path / "labgate.toml"
    file.write_text("")
    return file


@pytest.mark.parametrize(("section", "key"), keys())
def test_no_sentence_is_pydantics(section: str, key: str, empty: Path) -> None:
    complaints = [errors_of(empty, {section: {key: value}}, {}) for value in WRONG]
    variable = f"LABGATE_{section}__{key}".upper()
    complaints += [errors_of(empty, {}, {variable: str(value)}) for value in WRONG]
    assert any(complaints), "something of it must be wrong"
    for said in filter(None, complaints):
        assert not RAW.search(said), said
    table = errors_of(empty, {section: {key: {"a": 1}}}, {})
    assert table.startswith(f"the command line: {section}.{key}: "), table
    assert re.search("write for example|is none of", table), table
    assert table.endswith(("?", "."))


@pytest.mark.parametrize(("section", "key"), keys())
def test_the_examples_are_right(section: str, key: str, empty: Path) -> None:
    example = example_of(section, key)
    assert example not in (None, "", (), []), "EXAMPLES needs one"
    if f"{section}.{key}" in SECRETS | {"tls.cert", "tls.key", "acme.eab_kid", "upstream.key"}:
        return  # it takes more than one key, or the real thing
    flags = {section: {key: example}}
    if key == "proxy_protocol":
        flags[section]["trusted_proxies"] = "10.0.0.5"
    load(flags, {}, empty)


def test_every_example_is_of_a_key() -> None:
    known = [*keys(), *(("routes", key) for key in RouteSettings.model_fields)]
    assert set(EXAMPLES) <= {f"{section}.{key}" for section, key in known}


SENTENCES = [
    ("listen", "https_port", "many", "'many' is not a whole number; write for example 443."),
    ("listen", "https_port", 1.5, "1.5 is not a whole number; write for example 443."),
    ("listen", "https_port", 70000, "70000 is too large; it must be at most 65535."),
    ("listen", "workers", 0, "0 is too small; it must be at least 1."),
    ("listen", "drain_seconds", "soon", "'soon' is not a number; write for example 10.0."),
    ("listen", "drain_seconds", 0, "0 is too small; it must be more than 0."),
    ("listen", "tls", "maybe", "'maybe' is not true or false; write for example true."),
    ("site", "domains", 5, '5 is not a list; write for example ["localhost"].'),
    ("site", "domains", [5], '5 is not text; write for example ["localhost"].'),
    ("jupyter", "image", 5, '5 is not text; write for example "quay.io/jupyter/'),
    ("state", "folder", 5, '5 is not the path of a file or folder; write for example "/var/lib'),
    (
        "jupyter",
        "launch",
        "dokcer",
        "'dokcer' is none of auto, docker, process, none; did you mean docker?",
    ),
    ("access", "allow", ["lab"], "'lab' is neither an address nor a range; write for example"),
    ("access", "allow", ["10.0.0.1/8"], "the range is 10.0.0.0/8, the address alone 10.0.0.1."),
    ("listen", "domains", ["a.example"], "unknown key; it belongs in [site]."),
]


@pytest.mark.parametrize(("section", "key", "value", "said"), SENTENCES)
def test_sentences(section: str, key: str, value: object, said: str, empty: Path) -> None:
    assert f"the command line: {section}.{key}: " in errors_of(empty, {section: {key: value}}, {})
    assert said in errors_of(empty, {section: {key: value}}, {})


def test_the_error_says_how_to_write_a_variable(empty: Path) -> None:
    said = errors_of(empty, {}, {"LABGATE_LISTEN__TLS": "maybe", "LABGATE_SITE__HSTS_SECONDS": ""})
    assert said.splitlines() == [
        (
            "the environment: LABGATE_SITE__HSTS_SECONDS: '' is not a whole number; write for "
            "example 15552000."
        ),
        (
            "the environment: LABGATE_LISTEN__TLS: 'maybe' is not true or false (1 and 0, yes and "
            "no, on and off will do, too); write for example true."
        ),
    ]
    for good in ("true", "false", "1", "0", "yes", "no", "on", "off", "TRUE", "No"):
        assert not errors_of(empty, {}, {"LABGATE_LISTEN__TLS": good})


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_a_secret_is_never_repeated(key: str, empty: Path) -> None:
    section, name = key.split(".")
    for wrong in (5550123, ["hunter2"], {"hunter2": 1}, "hunter2"):
        said = errors_of(empty, {section: {name: wrong}}, {})
        assert said
        assert not re.search("hunter2|5550123", said)


def test_a_section_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    file.write_text("site = 5")
    assert "site: site is a section, not a key; write [site], and its keys below." in errors_of(
        file, {}, {}
    )
