from __future__ import annotations

from pathlib import Path

import pytest

from proxy.admin.socket_path import socket_path
from proxy.config.settings import Settings
from proxy.service.state_folder import find_state_folder, instance_folder


def in_use(folder: Path) -> Path:
    socket_path(folder).parent.mkdir(parents=True)
    socket_path(folder).touch()
    return folder


@pytest.fixture
def own(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(sockets))
    return sockets / "labgate"


def test_where_nothing_runs_it_is_this_users(own: Path, sockets: Path) -> None:
    assert instance_folder(Settings(), sockets / "service") == own


def test_the_services_if_only_that_is_in_use(own: Path, sockets: Path) -> None:
    service = in_use(sockets / "service")
    assert instance_folder(Settings(), service) == service
    in_use(own)
    assert instance_folder(Settings(), service) == own


def test_the_services_was_left_by_a_stopped_one(own: Path, sockets: Path) -> None:
    service = sockets / "service"
    service.mkdir()
    assert instance_folder(Settings(), service) == own


def test_the_configured_one_is_taken_whatever_runs(sockets: Path) -> None:
    settings = Settings.model_validate({"state": {"folder": sockets / "elsewhere"}})
    assert instance_folder(settings, in_use(sockets / "service")) == sockets / "elsewhere"


WRONG = [
    '[listen]\nworkers = "many"\n',
    "[listen]\ntls = false\nhttp_port = 0\n",
    "[nonsense]\nkey = 1\n",
]


@pytest.mark.parametrize("wrong", WRONG)
def test_it_is_found_where_the_rest_is_wrong(sockets: Path, wrong: str) -> None:
    file = sockets / "labgate.toml"
    file.write_text(f'{wrong}[state]\nfolder = "{sockets}/state"\n')
    assert find_state_folder(file, {}) == sockets / "state"


def test_the_environment_names_it_where_the_file_cannot_be_read(sockets: Path) -> None:
    file = sockets / "labgate.toml"
    file.write_text("not TOML")
    environment = {"LABGATE_STATE__FOLDER": str(sockets / "state")}
    assert find_state_folder(file, environment) == sockets / "state"
