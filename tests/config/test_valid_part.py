from __future__ import annotations

from pathlib import Path

from proxy.config.valid_part import valid_part


def test_everything_that_is_wrong_and_the_rest_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    file.write_text('[listen]\nhttps_port = "x"\nworkers = 2\n[nonsense]\nkey = 1\n')
    environment = {"LABGATE_JUPYTER__MEMORY_LIMIT": "lots"}
    read = valid_part({"log": {"level": "loud"}}, environment, file, {"log.level": "--level"})
    assert read.settings is not None
    assert read.settings.listen.workers == 2
    assert read.settings.listen.https_port is None
    assert len(read.problems) == 4
    said = "\n".join(read.problems)
    assert f"{file}: listen.https_port: 'x' is not a whole number" in said
    assert "the environment: LABGATE_JUPYTER__MEMORY_LIMIT: 'lots' is not an amount" in said
    assert "the command line: --level: 'loud' is none of" in said
    assert f"{file}: nonsense: unknown key" in said


def test_a_contradiction_has_no_valid_part() -> None:
    flags = {"listen": {"tls": False, "http_port": 0}}
    read = valid_part(flags, {}, None, {})
    assert read.settings is None
    assert "no port is left" in read.problems[0]


def test_a_contradiction_behind_a_wrong_value_is_told_too() -> None:
    flags = {"listen": {"tls": False, "http_port": 0, "workers": "x"}}
    read = valid_part(flags, {}, None, {})
    assert len(read.problems) == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    read = valid_part({}, {}, tmp_path / "labgate.toml", {})
    assert read.settings is not None
    assert "there is no such configuration file" in read.problems[0]


def test_nothing_is_wrong() -> None:
    assert valid_part({"listen": {"workers": "2"}}, {}, None, {}).problems == []
