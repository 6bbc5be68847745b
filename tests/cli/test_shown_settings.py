from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from proxy.cli.shown_settings import shown_settings
from proxy.config.settings import SECTIONS, Settings
from proxy.config.valid_part import valid_part
from tests.config.test_password_hash import ARGON2 as HASH

FLAGS = {"listen": {"workers": "2"}}
ENVIRONMENT = {"LABGATE_ACME__EMAIL": "ada@example.org"}


@pytest.fixture
def shown(tmp_path: Path) -> list[str]:
    """The lines for values of three sources."""
    file = tmp_path / "labgate.toml"
    file.write_text(
        '[site]\ndomains = ["lab.example.org"]\n'
        f'[jupyter]\npassword = "{HASH}"\n'
        '[acme]\neab_kid = "kid"\neab_hmac_key = "very-secret"\n'
    )
    read = valid_part(FLAGS, ENVIRONMENT, file, {})
    assert read.settings is not None
    assert read.problems == []
    return list(shown_settings(read.settings, read.sources))


def line_of(shown: list[str], key: str) -> list[str]:
    (line,) = [line for line in shown if line.startswith(f"{key} = ")]
    return re.split(r"  +# ", line)


def test_every_value_has_its_source(shown: list[str], tmp_path: Path) -> None:
    assert line_of(shown, "workers") == ["workers = 2", "a flag"]
    assert line_of(shown, "email") == ['email = "ada@example.org"', "the environment"]
    assert line_of(shown, "domains") == [
        'domains = ["lab.example.org"]',
        str(tmp_path / "labgate.toml"),
    ]
    assert line_of(shown, "server") == ['server = "labgate"', "default"]


def test_what_follows_from_other_keys_is_shown_as_it_follows(shown: list[str]) -> None:
    assert line_of(shown, "https_port") == ["https_port = 443", "default"]
    assert line_of(shown, "bind") == ['bind = ["0.0.0.0", "::"]', "default"]


def test_no_secret_is_shown(shown: list[str]) -> None:
    text = "\n".join(shown)
    assert HASH not in text
    assert "very-secret" not in text
    assert line_of(shown, "password")[0] == 'password = "(a secret, not shown)"'


def test_it_is_toml_with_every_key(shown: list[str]) -> None:
    read = tomllib.loads("\n".join(shown))
    assert {section: set(keys) for section, keys in read.items()} == {
        name: set(Settings.model_fields[name].annotation.model_fields)  # type: ignore[union-attr]
        for name in SECTIONS
    }


def test_each_route_is_shown_as_it_was_written() -> None:
    route = {
        "domains": ["ada.example.org"],
        "upstream": {"url": "https://10.0.0.9:8888", "verify": False},
    }
    routes = [route, {"path": "/bob/", "upstream": "unix:/run/bob"}]
    settings = Settings.model_validate({"routes": routes})
    assert tomllib.loads("\n".join(shown_settings(settings, [])))["routes"] == routes
