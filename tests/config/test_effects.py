"""An option without an effect is an error; a key of the file without one is a warning."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from proxy.cli.arguments import parse_arguments
from proxy.cli.command import command
from proxy.config.effects import (
    INDEPENDENT,
    NEEDS,
    ignored_jupyter_keys,
    ineffective_keys,
    ineffective_options,
)
from proxy.config.jupyter_settings import JupyterSettings
from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.jupyter.choose_launcher import choose_launcher
from tests.config.test_problems import keys


def test_every_key_is_in_the_table() -> None:
    """Whoever adds a key says when it has an effect."""
    known = {f"{section}.{key}" for section, key in keys()}
    assert set(NEEDS) <= known
    assert {key for key in known if not key.startswith(INDEPENDENT)} <= set(NEEDS)


def remarks_of(line: str, environment: dict[str, str], file: Path) -> tuple[list[str], list[str]]:
    """The ineffective_options on a command line, and the ineffective_keys about everything else."""
    parsed = parse_arguments(line.split())
    settings = load(parsed.flags, environment, file, parsed.typed)
    launches = parsed.command == "up"
    return ineffective_options(settings, parsed.typed), ineffective_keys(
        settings, parsed.typed, launches=launches
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "labgate.toml"
    file.write_text("")
    return file


def test_what_is_for_the_site_has_no_effect_where_every_jupyter_is_in_routes(file: Path) -> None:
    file.write_text(
        "[site]\nembed_in = ['https://portal.example.org']\nwebsocket_without_origin = true\n"
        "[[routes]]\ndomains = 'ada.example.org'\nupstream = 'unix:/run/ada'\n"
    )
    assert remarks_of("serve", {}, file) == (
        [],
        ['No effect with upstream.url = "": site.embed_in, site.websocket_without_origin.'],
    )


IDLE = [
    ("up --launch none --image x", "--image has no effect with --launch none"),
    ("up --launch process --image x", "--image has no effect with --launch process"),
    ("up --launch none --name x", "--name"),
    ("up --launch none --volume x:/y", "--volume"),
    ("up --launch process --user 1", "--user"),
    ("up --launch process --memory-limit 4g", "--memory-limit"),
    ("up --launch docker --folder /x", "--folder has no effect with --launch docker"),
    ("up --launch none --folder /x", "--folder has no effect with --launch none"),
    ("up --launch none --password sha1:a:da39a3ee5e6b4b0d3255bfef95601890afd80709", "--password"),
    ("up --no-tls --https-port 1", "--https-port has no effect with --no-tls; the port that"),
    ("up --no-tls --domain a.b --email a@b.c", "--email has no effect with --no-tls"),
    ("serve --no-tls --domain a.b --acme-directory staging", "--acme-directory has no effect"),
    ("up --email a@b.c", '--email has no effect with site.domains = "localhost". Name a public'),
    ("serve --only errors", "--only has no effect with log.show_headers = false. Add --show-he"),
    ("up --domain a.b --cert c --key k --email a@b.c", "--email has no effect with --cert c"),
]


@pytest.mark.parametrize(("line", "said"), IDLE)
def test_an_option_without_an_effect_is_a_mistake(line: str, said: str, file: Path) -> None:
    mistaken, remarked = remarks_of(line, {}, file)
    assert len(mistaken) == 1
    assert mistaken[0].startswith(said)
    assert not remarked


FINE = [
    "up",
    "up --image x --folder /x --name x --user 1 --memory-limit 4g --volume a:/b",
    "up --launch docker --image x",
    "up --launch process --folder /x",
    "up --launch none --upstream http://127.0.0.1:1",
    "up --domain a.b --email a@b.c --acme-directory staging --https-port 1",
    "serve --no-tls --http-port 1 --webroot /x --upstream unix:/x",
    "cert show --domain a.b --cert c --key k",
]


@pytest.mark.parametrize("line", FINE)
def test_keys_with_an_effect_get_no_warning(line: str, file: Path) -> None:
    assert remarks_of(line, {}, file) == ([], [])


def test_the_file_may_say_more_than_a_command_needs(file: Path) -> None:
    """It serves several commands; and what a flag switches off is a warning, not an error."""
    file.write_text(
        '[jupyter]\nimage = "x"\nname = "lab"\nlaunch = "docker"\n'
        '[acme]\nemail = "a@b.c"\n[site]\ndomains = ["a.b"]\n'
    )
    assert remarks_of("up", {}, file) == ([], [])
    assert remarks_of("serve", {}, file) == ([], [])
    assert remarks_of("up --launch none", {}, file) == (
        [],
        ["No effect with --launch none: jupyter.image, jupyter.name."],
    )
    _, remarked = remarks_of("serve", {"LABGATE_LISTEN__TLS": "no"}, file)
    assert remarked == ["No effect with listen.tls = false: acme.email."]
    mistaken, _ = remarks_of("up --folder /x", {}, file)
    assert mistaken == [
        '--folder has no effect with jupyter.launch = "docker". Leave one of them out.'
    ]


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("access.login_failures = 0\naccess.lockout_seconds = 9", "access.lockout_seconds"),
        ("upstream.idle_connections = 0\nupstream.idle_seconds = 9", "upstream.idle_seconds"),
        ('log.level = "error"\nlog.access = true', "log.access"),
        ("site.canonical_redirect = true", "site.canonical_redirect"),
        ('listen.tls = false\ntls.unknown_name = "refuse"', "tls.unknown_name"),
        ("listen.tls = false\nlimits.handshake_seconds = 9", "limits.handshake_seconds"),
        ('jupyter.launch = "none"\njupyter.port = 8888', "jupyter.port"),
    ],
)
def test_a_key_of_the_file_without_an_effect_is_a_warning(
    text: str, remark: str, file: Path
) -> None:
    file.write_text(text)
    mistaken, remarked = remarks_of("up", {}, file)
    assert not mistaken
    assert len(remarked) == 1
    assert remarked[0].endswith(f": {remark}.")


def test_a_public_name_behind_a_local_one_is_a_warning(file: Path) -> None:
    names = "domains = ['localhost', 'lab.example.org']"
    serve = "serve --upstream http://127.0.0.1:1"
    file.write_text(f"[site]\n{names}")
    untrusted, out_of_reach = remarks_of(serve, {}, file)[1]
    assert untrusted.startswith("lab.example.org has a development certificate, of which browsers")
    assert "because localhost comes first among the domains" in untrusted
    assert out_of_reach.startswith("localhost comes first among the domains")
    assert "do not reach lab.example.org" in out_of_reach
    file.write_text(f"[site]\n{names}\n[listen]\nbind = '::'")
    assert remarks_of(serve, {}, file) == ([], [untrusted])
    for text in (
        f"[site]\n{names}\n[listen]\nbind = '::'\ntls = false",
        f"[site]\n{names}\n[listen]\nbind = '::'\n[tls]\ncert = '/c'\nkey = '/k'",
        "[site]\ndomains = ['localhost', '127.0.0.1', 'lab.localhost', 'lab.internal']",
        "[site]\ndomains = ['lab.example.org', 'localhost']",
    ):
        file.write_text(text)
        assert remarks_of(serve, {}, file) == ([], [])


def test_no_port_for_the_bench_is_told_with_its_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command(["inspect", "--upstream", "http://127.0.0.1:1", "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("labgate: --port is 0, which is none")
    assert "give it a number, for example 8080" in said
    assert "--http-port" not in said


def test_an_error_after_the_configuration_names_what_was_typed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["up", "--config", str(file), "--upstream", "http://127.0.0.1:2"]
    assert command(line) == UsageError.exit_code
    assert "labgate: --upstream names a Jupyter that runs already" in capsys.readouterr().err


def test_it_is_exit_code_2_and_names_all(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["up", "--config", str(file), "--launch", "none", "--image", "x", "--user", "1"]
    assert command(line) == UsageError.exit_code
    said = capsys.readouterr().err
    assert "labgate: --image has no effect with --launch none." in said
    assert "--user has no effect with --launch none." in said


def test_both_kinds_of_jupyter_have_keys_of_their_own() -> None:
    given = {"image", "folder", "password", "name"}
    assert ignored_jupyter_keys(given, "process") == ["jupyter.image", "jupyter.name"]
    assert ignored_jupyter_keys(given, "docker") == ["jupyter.folder"]


async def test_auto_says_what_is_idle_once_it_has_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    settings = JupyterSettings(image="x", memory_limit="4g")
    with caplog.at_level(logging.WARNING, "labgate.jupyter"):
        launcher = await choose_launcher(settings, tmp_path)
    assert launcher is not None
    await launcher.stop()
    assert caplog.messages == [
        "Jupyter runs as a process, so these have no effect: jupyter.image, jupyter.memory_limit."
    ]


def test_nothing_is_idle_by_default() -> None:
    assert ineffective_keys(Settings(), {}, launches=True) == []
