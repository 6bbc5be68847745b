from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proxy.jupyter.launcher import Login
from proxy.jupyter.plan import Adopt, Create, Plan, Replace, SetAside, Start, plan
from proxy.jupyter.recipe import Mount, Recipe
from tests.jupyter.inspected import foreign, made_from

WORK = Mount("volume", "jupyter-work", "/home/jovyan/work")
WANTED = Recipe(
    name="jupyter",
    image="quay.io/jupyter/scipy-notebook:2025-03-14",
    mount=WORK,
    port=0,
    user="",
    memory=0,
    login=Login("token", "t0ken"),
)
STRICT = replace(WANTED, port=8888, user="1000:100", memory=4 << 30)
STOPPED: dict[str, Any] = {"Running": False, "Status": "exited"}
ANYWHERE = {"HostIp": "", "HostPort": "8888"}
LOOPBACK_6 = {"HostIp": "::1", "HostPort": "8888"}


def published(container: dict[str, Any], *bindings: dict[str, str]) -> dict[str, Any]:
    container["HostConfig"]["PortBindings"] = {"8888/tcp": list(bindings)} if bindings else None
    return container


TABLE: list[tuple[str, dict[str, Any] | None, Recipe, Plan]] = [
    ("none there", None, WANTED, Create("there is no container jupyter")),
    ("ours, runs", made_from(WANTED), WANTED, Adopt("it runs as wanted")),
    ("ours, on another free port", made_from(WANTED, 40001), WANTED, Adopt("it runs as wanted")),
    ("ours, restarting", made_from(WANTED, Restarting=True), WANTED, Adopt("it runs as wanted")),
    ("ours, stopped", made_from(WANTED, **STOPPED), WANTED, Start("it is exited")),
    ("ours, paused", made_from(WANTED, Paused=True), WANTED, Start("it is paused")),
    (
        "ours, another image",
        made_from(replace(WANTED, image="quay.io/jupyter/scipy-notebook:old")),
        WANTED,
        Replace(f"image quay.io/jupyter/scipy-notebook:old instead of {WANTED.image}"),
    ),
    (
        "ours, another image, stopped",
        made_from(replace(WANTED, image="x:1"), **STOPPED),
        WANTED,
        Replace(f"image x:1 instead of {WANTED.image}"),
    ),
    (
        "ours, another login",
        made_from(replace(WANTED, login=Login("token", "other"))),
        WANTED,
        Replace("login or other settings changed"),
    ),
    (
        "ours, password instead of token",
        made_from(WANTED),
        replace(WANTED, login=Login("password"), password_hash="sha1:a:b"),
        Replace("login or other settings changed"),
    ),
    (
        "ours, a limit was taken away",
        made_from(replace(WANTED, memory=512 << 20)),
        WANTED,
        Replace("login or other settings changed"),
    ),
    (
        "ours, several",
        made_from(WANTED, 9999),
        STRICT,
        Replace(
            "port 9999 instead of 8888, memory limit none instead of 4096 MiB, "
            "user jovyan instead of 1000:100"
        ),
    ),
    (
        "ours, another volume",
        made_from(replace(WANTED, mount=Mount("bind", "/srv/work", WORK.target))),
        WANTED,
        Replace("no jupyter-work at /home/jovyan/work"),
    ),
    ("foreign, the same", foreign(STRICT), STRICT, Adopt("it runs as wanted")),
    ("foreign, stopped", foreign(STRICT, **STOPPED), STRICT, Start("it is exited")),
    ("foreign, more than wanted", foreign(STRICT), WANTED, Adopt("it runs as wanted")),
    (
        "foreign, on the loopback of IPv6",
        published(foreign(WANTED), LOOPBACK_6),
        WANTED,
        Adopt("it runs as wanted"),
    ),
    (
        "foreign, open to the world",
        published(foreign(WANTED), ANYWHERE),
        WANTED,
        SetAside("port 8888 published on every interface"),
    ),
    (
        "foreign, open to the world as well",
        published(foreign(WANTED), LOOPBACK_6, {"HostIp": "0.0.0.0", "HostPort": "8888"}),
        WANTED,
        SetAside("port 8888 published on 0.0.0.0"),
    ),
    (
        "foreign, unpublished",
        published(foreign(WANTED)),
        WANTED,
        SetAside("port 8888 not published"),
    ),
    (
        "foreign, stopped and different",
        foreign(replace(WANTED, mount=None), **STOPPED),
        WANTED,
        SetAside("no jupyter-work at /home/jovyan/work"),
    ),
    (
        "foreign, folder",
        foreign(replace(WANTED, mount=Mount("bind", "/srv/work", WORK.target))),
        replace(WANTED, mount=Mount("bind", "/srv/work", WORK.target)),
        Adopt("it runs as wanted"),
    ),
    (
        "foreign, no volume is wanted",
        foreign(WANTED),
        replace(WANTED, mount=None),
        Adopt("it runs as wanted"),
    ),
]


@pytest.mark.parametrize(
    ("existing", "wanted", "expected"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_plan(existing: dict[str, Any] | None, wanted: Recipe, expected: Plan) -> None:
    assert plan(existing, wanted) == expected


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
    decided = plan(foreign(replace(WANTED, image=there)), replace(WANTED, image=wanted))
    assert isinstance(decided, Adopt) is same


DIFFERENT: list[Callable[[Recipe], Recipe]] = [
    lambda r: replace(r, image="other"),
    lambda r: replace(r, mount=None),
    lambda r: replace(r, port=1),
    lambda r: replace(r, user="7"),
    lambda r: replace(r, memory=1),
    lambda r: replace(r, login=Login("token", "other")),
    lambda r: replace(r, login=Login("password"), password_hash=r.login.token),
]


@pytest.mark.parametrize("changed", DIFFERENT)
def test_every_setting_is_in_the_fingerprint(changed: Callable[[Recipe], Recipe]) -> None:
    assert changed(WANTED).fingerprint != WANTED.fingerprint
