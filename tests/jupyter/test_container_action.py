from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proxy.jupyter.container_action import (
    Choice,
    ContainerAction,
    choose_action,
    container_differences,
    login_of,
)
from proxy.jupyter.container_spec import ContainerSpec
from proxy.jupyter.launcher import Login
from proxy.jupyter.mounts import ContainerMount
from tests.jupyter.inspected import foreign, made_before, made_from

WORK = ContainerMount("volume", "jupyter-work", "/home/jovyan/work")
WANTED = ContainerSpec(
    name="jupyter",
    image="quay.io/jupyter/scipy-notebook:2025-03-14",
    mount=WORK,
    home=None,
    port=0,
    user="",
    memory=0,
    login=Login("token", "t0ken"),
)
STRICT = replace(WANTED, port=8888, user="1000:100", memory=4 << 30)
WITH_PASSWORD = replace(WANTED, login=Login("password"), password_hash="sha1:a:b")
STOPPED: dict[str, Any] = {"Running": False, "Status": "exited"}
NOT_OURS = Choice(ContainerAction.REPORT, "labgate did not make it")


def unlabelled(container: dict[str, Any]) -> dict[str, Any]:
    container["Config"]["Labels"] = None
    return container


TABLE: list[tuple[str, dict[str, Any] | None, ContainerSpec, Choice]] = [
    ("none there", None, WANTED, Choice(ContainerAction.CREATE, "there is no container jupyter")),
    ("ours, runs", made_from(WANTED), WANTED, Choice(ContainerAction.ADOPT, "it runs as wanted")),
    (
        "ours, on another free port",
        made_from(WANTED, 40001),
        WANTED,
        Choice(ContainerAction.ADOPT, "it runs as wanted"),
    ),
    (
        "ours, restarting",
        made_from(WANTED, Restarting=True),
        WANTED,
        Choice(ContainerAction.ADOPT, "it runs as wanted"),
    ),
    (
        "ours, stopped",
        made_from(WANTED, **STOPPED),
        WANTED,
        Choice(ContainerAction.START, "it is exited"),
    ),
    (
        "ours, paused",
        made_from(WANTED, Paused=True),
        WANTED,
        Choice(ContainerAction.START, "it is paused"),
    ),
    (
        "ours, another image",
        made_from(replace(WANTED, image="quay.io/jupyter/scipy-notebook:old")),
        WANTED,
        Choice(
            ContainerAction.REPLACE,
            f"image: was quay.io/jupyter/scipy-notebook:old, will be {WANTED.image}",
        ),
    ),
    (
        "ours, another image, stopped",
        made_from(replace(WANTED, image="x:1"), **STOPPED),
        WANTED,
        Choice(ContainerAction.REPLACE, f"image: was x:1, will be {WANTED.image}"),
    ),
    (
        "ours, another token",
        made_from(replace(WANTED, login=Login("token", "other"))),
        WANTED,
        Choice(ContainerAction.REPLACE, "login: another token"),
    ),
    (
        "ours, another password",
        made_from(replace(WITH_PASSWORD, password_hash="sha1:c:d")),
        WITH_PASSWORD,
        Choice(ContainerAction.REPLACE, "login: another password"),
    ),
    (
        "ours, password instead of token",
        made_from(WANTED),
        WITH_PASSWORD,
        Choice(ContainerAction.REPLACE, "login: was a token, will be a password"),
    ),
    (
        "ours, token instead of password",
        made_from(WITH_PASSWORD),
        WANTED,
        Choice(ContainerAction.REPLACE, "login: was a password, will be a token"),
    ),
    (
        "ours, a limit was taken away",
        made_from(replace(WANTED, memory=512 << 20)),
        WANTED,
        Choice(ContainerAction.REPLACE, "memory limit: was 512 MiB, will be none"),
    ),
    (
        "ours, several",
        made_from(WANTED, 9999),
        STRICT,
        Choice(
            ContainerAction.REPLACE,
            "memory limit: was none, will be 4 GiB; port: was any free one, will be 8888; "
            "user: was the image's own, will be 1000:100",
        ),
    ),
    (
        "ours, wishes taken back",
        made_from(STRICT),
        WANTED,
        Choice(
            ContainerAction.REPLACE,
            "memory limit: was 4 GiB, will be none; port: was 8888, will be any free one; "
            "user: was 1000:100, will be the image's own",
        ),
    ),
    (
        "ours, another volume",
        made_from(replace(WANTED, mount=ContainerMount("bind", "/srv/work", WORK.target))),
        WANTED,
        Choice(
            ContainerAction.REPLACE,
            "volume: was /srv/work:/home/jovyan/work (what is in it stays there), "
            "will be jupyter-work:/home/jovyan/work",
        ),
    ),
    (
        "ours, no volume",
        made_from(WANTED),
        replace(WANTED, mount=None),
        Choice(
            ContainerAction.REPLACE,
            "volume: was jupyter-work:/home/jovyan/work (what is in it stays there), will be none",
        ),
    ),
    (
        "ours, another home",
        made_from(WANTED),
        replace(WANTED, home=ContainerMount("bind", "/srv/ada", "/home/jovyan")),
        Choice(
            ContainerAction.REPLACE, "home: was volume jupyter-home, will be /srv/ada:/home/jovyan"
        ),
    ),
    (
        "of an earlier version",
        made_before(WANTED),
        WANTED,
        Choice(
            ContainerAction.REPLACE, "home: was the container alone, will be volume jupyter-home"
        ),
    ),
    (
        "of an earlier version, with its home on a volume",
        made_before(replace(WANTED, mount=ContainerMount("volume", "all", "/home/jovyan"))),
        replace(WANTED, mount=ContainerMount("volume", "all", "/home/jovyan")),
        Choice(ContainerAction.REPLACE, "made by another version of labgate"),
    ),
    (
        "of an earlier version, several",
        made_before(WANTED),
        replace(STRICT, mount=None),
        Choice(
            ContainerAction.REPLACE,
            "memory limit: was none, will be 4 GiB; "
            "volume: was jupyter-work:/home/jovyan/work (what is in it stays there), will be none; "
            "user: was jovyan, will be 1000:100; "
            "home: was the container alone, will be volume jupyter-home",
        ),
    ),
    ("foreign, the same", foreign(WANTED), WANTED, NOT_OURS),
    ("foreign, stopped", foreign(WANTED, **STOPPED), WANTED, NOT_OURS),
    ("foreign, without labels", unlabelled(foreign(WANTED)), WANTED, NOT_OURS),
]


@pytest.mark.parametrize(
    ("existing", "wanted", "expected"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_the_action(
    existing: dict[str, Any] | None, wanted: ContainerSpec, expected: Choice
) -> None:
    assert choose_action(existing, wanted) == expected


@pytest.mark.parametrize(
    ("there", "wanted", "same"),
    [
        ("jupyter/scipy-notebook", "docker.io/jupyter/scipy-notebook:latest", True),
        ("docker.io/library/python:3", "python:3", True),
        ("localhost:5000/lab", "localhost:5000/lab:latest", True),
        ("localhost:5000/lab", "localhost:5000/lab:1", False),
        ("quay.io/jupyter/scipy-notebook", "jupyter/scipy-notebook", False),
        ("lab@sha256:0123", "lab@sha256:0123", True),
    ],
)
def test_one_image_under_two_names(there: str, wanted: str, same: bool) -> None:
    existing = made_from(replace(WANTED, image=there))
    differing = list(container_differences(existing, replace(WANTED, image=wanted)))
    assert (differing == []) is same


@pytest.mark.parametrize(
    ("spec", "login"),
    [(WANTED, WANTED.login), (WITH_PASSWORD, Login("password"))],
)
def test_the_login_can_be_read_back(spec: ContainerSpec, login: Login) -> None:
    assert login_of(made_from(spec)) == login
    assert login_of(made_before(spec)) == login


def test_no_secret_is_in_a_label() -> None:
    for spec in (WANTED, WITH_PASSWORD):
        labels = str(made_from(spec)["Config"]["Labels"])
        assert WANTED.login.token not in labels
        assert WITH_PASSWORD.password_hash not in labels


DIFFERENT: list[Callable[[ContainerSpec], ContainerSpec]] = [
    lambda r: replace(r, image="other"),
    lambda r: replace(r, mount=None),
    lambda r: replace(r, home=ContainerMount("volume", "other", "/home/jovyan")),
    lambda r: replace(r, port=1),
    lambda r: replace(r, user="7"),
    lambda r: replace(r, memory=1),
    lambda r: replace(r, login=Login("token", "other")),
    lambda r: replace(r, login=Login("password"), password_hash=r.login.token),
]


@pytest.mark.parametrize("changed", DIFFERENT)
def test_every_setting_is_in_the_fingerprint(
    changed: Callable[[ContainerSpec], ContainerSpec],
) -> None:
    assert changed(WANTED).fingerprint != WANTED.fingerprint
