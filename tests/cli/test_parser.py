"""A word that is mistyped gets a suggestion, in a sentence and a usage line."""

from __future__ import annotations

import re

import pytest

from proxy.cli.arguments import parse_arguments

COMMANDS = (
    "up, serve, check, status, reload, upgrade, logs, open, unlock, stop, "
    "inspect, cert, doctor, hub, password, install-service, uninstall-service"
)
MISTYPED = [
    ("", f"a command is missing: {COMMANDS}."),
    ("srve", "there is no command srve; did you mean serve?"),
    ("fly", f"there is no command fly (known: {COMMANDS})."),
    ("cert", "a command is missing: show, obtain, renew."),
    ("cert shw", "there is no command shw; did you mean show?"),
    (
        "--domain a.example up",
        "--domain comes before any command; write labgate COMMAND --domain …",
    ),
    ("up --domian a.example", "unknown option --domian; did you mean --domain?"),
    ("up --domian=a.example", "unknown option --domian; did you mean --domain?"),
    ("up -domain a.example", "unknown option -domain; did you mean --domain?"),
    ("serve --upsteam unix:/x", "unknown option --upsteam; did you mean --upstream?"),
    ("cert renew --froce", "unknown option --froce; did you mean --force?"),
    ("password --htpaswd ada", "unknown option --htpaswd; did you mean --htpasswd?"),
    ("up --dom a.example", "unknown option --dom; did you mean --domain?"),
    ("up --zebra", "unknown option --zebra."),
    ("serve --image x", "--image is an option of `labgate up`, not of `labgate serve`."),
    ("up --force", "--force is an option of `labgate cert renew`, not of `labgate up`."),
    ("up a.example", "'a.example' belongs to no option."),
    (
        "up --launch dokcer",
        "--launch: 'dokcer' is none of auto, docker, process, none; did you mean docker?",
    ),
    ("serve --rewrite off", "--rewrite: 'off' is none of rewrite, preserve."),
    (
        "doctor h --mend-for ngnix",
        (
            "--mend-for: 'ngnix' is none of nginx, caddy, traefik, haproxy, apache, jupyter, "
            "labgate, all; did you mean nginx?"
        ),
    ),
    ("doctor h --insecur", "unknown option --insecur; did you mean --insecure?"),
    ("up --domain", "--domain needs a value: --domain NAME[:PORT]."),
]


@pytest.mark.parametrize(("line", "said"), MISTYPED)
def test_mistyped(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(line.split())
    assert caught.value.code == 2
    sentence, usage, *more = capsys.readouterr().err.splitlines()
    assert sentence == f"labgate: {said}"
    pattern = r"usage: labgate[][a-zA-Z ]* \[OPTION …\]   \(labgate.* --help .*\)"
    assert re.fullmatch(pattern, usage)
    assert not more


def test_every_mistyped_word_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(["up", "--domian", "a.example", "--imgae", "x"])
    output = capsys.readouterr().err.splitlines()
    assert output[0].endswith("--domian; did you mean --domain?")
    assert output[1].endswith("--imgae; did you mean --image?")


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "-h",
        "up --help",
        "serve --help",
        "cert --help",
        "cert show --help",
        "cert obtain --help",
        "cert renew --help",
        "doctor --help",
    ],
)
def test_help_tells_every_option(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        parse_arguments(line.split())
    assert caught.value.code == 0
    output = capsys.readouterr().out
    assert output.startswith("usage: labgate")
    assert "None" not in output
    assert [line for line in output.splitlines() if len(line) > 80] == []
    if line == "up --help":
        assert "--launch {auto,docker,process,none}" in output
        assert "--domain NAME[:PORT]" in output


def test_install_service_takes_nothing_over(capsys: pytest.CaptureFixture[str]) -> None:
    """It writes files; an option that it would not heed is refused."""
    with pytest.raises(SystemExit):
        parse_arguments(["install-service", "--take-over"])
    assert "--take-over is an option of `labgate up`" in capsys.readouterr().err
