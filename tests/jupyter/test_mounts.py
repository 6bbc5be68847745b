from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.config.jupyter_settings import JupyterSettings
from proxy.errors import StartError
from proxy.jupyter.container_spec import container_spec_of
from proxy.jupyter.mounts import (
    ContainerMount,
    FolderCopy,
    Folders,
    describe_storage,
    folders_of,
    folders_to_copy,
    mount_of,
    parse_mount,
    required_mounts,
)
from tests.jupyter.inspected import made_before, made_from

WORK = ContainerMount("volume", "work", "/home/jovyan/work")
HOME = ContainerMount("volume", "jupyter-home", "/home/jovyan")
FOLDER = ContainerMount("bind", "/srv/ada", "/home/jovyan")
STACKS = Folders()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("work:/home/jovyan/work", ContainerMount("volume", "work", "/home/jovyan/work")),
        ("work:/home/jovyan/work/", ContainerMount("volume", "work", "/home/jovyan/work")),
        ("/srv/work:/work", ContainerMount("bind", "/srv/work", "/work")),
        ("/srv/work/:/work", ContainerMount("bind", "/srv/work", "/work")),
        ("~/work:/work", ContainerMount("bind", str(Path.home() / "work"), "/work")),
        ("./work:/work", ContainerMount("bind", str(Path.cwd() / "work"), "/work")),
        (".:/work", ContainerMount("bind", str(Path.cwd()), "/work")),
    ],
)
def test_what_a_mount_says(text: str, expected: ContainerMount | None) -> None:
    assert parse_mount(text) == expected


@pytest.mark.parametrize(
    "text", ["work", "work:", ":/work", "work:work", "work:/work:ro", "a b:/x"]
)
def test_malformed_mounts(text: str) -> None:
    with pytest.raises(ValueError, match=r"[Ww]rite"):
        parse_mount(text)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"Env": ["A=b", "HOME=/home/jovyan"], "WorkingDir": "/home/jovyan"}, STACKS),
        ({"Env": ["HOME=/home/jovyan/"], "WorkingDir": "/home/jovyan/"}, STACKS),
        ({"Env": None, "WorkingDir": ""}, Folders("/home/jovyan", "")),
        ({"Env": [], "WorkingDir": "/work"}, Folders("/work", "/work")),
        ({"Env": ["HOME=/"], "WorkingDir": "/"}, Folders("/home/jovyan", "")),
        ({"Env": ["HOME=/root"], "WorkingDir": "/notebooks"}, Folders("/root", "/notebooks")),
        ({"Env": ["HOME=/root"], "WorkingDir": "/usr/src/app"}, Folders("/root", "")),
        ({"Env": ["HOME="], "WorkingDir": "/opt"}, Folders("/home/jovyan", "")),
    ],
)
def test_where_people_save(config: dict[str, Any], expected: Folders) -> None:
    assert folders_of(config) == expected


@pytest.mark.parametrize(
    ("folders", "volume", "home", "expected"),
    [
        (STACKS, WORK, None, (HOME, WORK)),
        (STACKS, None, None, (HOME,)),
        (STACKS, WORK, FOLDER, (FOLDER, WORK)),
        # Mounted on the home itself, or around it: that one is the home.
        (STACKS, FOLDER, None, (FOLDER,)),
        (
            STACKS,
            ContainerMount("volume", "all", "/home"),
            None,
            (ContainerMount("volume", "all", "/home"),),
        ),
        (
            Folders("/root", "/notebooks"),
            None,
            None,
            (
                ContainerMount("volume", "jupyter-home", "/root"),
                ContainerMount("volume", "jupyter-start", "/notebooks"),
            ),
        ),
        (
            Folders("/root", "/notebooks"),
            ContainerMount("volume", "books", "/notebooks"),
            None,
            (
                ContainerMount("volume", "jupyter-home", "/root"),
                ContainerMount("volume", "books", "/notebooks"),
            ),
        ),
        (Folders("/root", ""), None, None, (ContainerMount("volume", "jupyter-home", "/root"),)),
        (
            Folders("/home/ada", "/home/ada/x"),
            None,
            None,
            (ContainerMount("volume", "jupyter-home", "/home/ada"),),
        ),
    ],
)
def test_what_is_mounted(
    folders: Folders,
    volume: ContainerMount | None,
    home: ContainerMount | None,
    expected: tuple[ContainerMount, ...],
) -> None:
    assert required_mounts("jupyter", folders, volume, home) == expected


def test_a_home_that_is_not_the_images() -> None:
    with pytest.raises(StartError) as caught:
        required_mounts("jupyter", Folders("/root", ""), None, FOLDER)
    assert "jupyter.home mounts /srv/ada at /home/jovyan" in str(caught.value)
    assert str(caught.value).endswith("Write /srv/ada:/root.")


def test_the_innermost_mount() -> None:
    assert mount_of("/home/jovyan/work/x", [HOME, WORK]) == WORK
    assert mount_of("/home/jovyan/workshop", [HOME, WORK]) == HOME
    assert mount_of("/home/jovyans", [HOME, WORK]) is None


@pytest.mark.parametrize(
    ("earlier", "now", "expected"),
    [
        # The home of an earlier version's container: in it alone.
        (
            (STACKS, (WORK,)),
            (STACKS, (HOME, WORK)),
            (FolderCopy("/home/jovyan", None, HOME, "/home/jovyan"),),
        ),
        # It stays where it is.
        ((STACKS, (HOME, WORK)), (STACKS, (HOME,)), ()),
        ((STACKS, (HOME,)), (STACKS, (HOME, WORK)), ()),
        # It is moved.
        (
            (STACKS, (HOME,)),
            (STACKS, (FOLDER,)),
            (FolderCopy("/home/jovyan", HOME, FOLDER, "/home/jovyan"),),
        ),
        # Another image, another home.
        (
            (STACKS, ()),
            (Folders("/root", ""), (ContainerMount("volume", "h", "/root"),)),
            (FolderCopy("/home/jovyan", None, ContainerMount("volume", "h", "/root"), "/root"),),
        ),
        # Where Lab opened is outside the home.
        (
            (Folders("/root", "/books"), ()),
            (
                Folders("/root", "/books"),
                (ContainerMount("volume", "h", "/root"), ContainerMount("volume", "s", "/books")),
            ),
            (
                FolderCopy("/root", None, ContainerMount("volume", "h", "/root"), "/root"),
                FolderCopy("/books", None, ContainerMount("volume", "s", "/books"), "/books"),
            ),
        ),
    ],
)
def test_what_is_copied(
    earlier: tuple[Folders, tuple[ContainerMount, ...]],
    now: tuple[Folders, tuple[ContainerMount, ...]],
    expected: tuple[FolderCopy, ...],
) -> None:
    assert folders_to_copy(earlier, now) == expected


def test_the_line_about_the_work_folder() -> None:
    spec = container_spec_of(
        JupyterSettings(volume="jupyter-work:/home/jovyan/work"), "t0ken", None
    )
    assert describe_storage(made_from(spec)) == (
        "/home/jovyan in volume jupyter-home; /home/jovyan/work in volume jupyter-work"
    )
    assert describe_storage(made_before(spec)) == (
        "/home/jovyan/work in volume jupyter-work; "
        "/home/jovyan in the container alone, and gone with it"
    )
