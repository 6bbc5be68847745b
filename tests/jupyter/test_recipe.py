from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.jupyter.password import hash_passphrase
from proxy.jupyter.recipe import Mount, make_recipe, parse_mount
from proxy.settings import JupyterSettings


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("work:/home/jovyan/work", Mount("volume", "work", "/home/jovyan/work")),
        ("work:/home/jovyan/work/", Mount("volume", "work", "/home/jovyan/work")),
        ("/srv/work:/work", Mount("bind", "/srv/work", "/work")),
        ("/srv/work/:/work", Mount("bind", "/srv/work", "/work")),
        ("~/work:/work", Mount("bind", str(Path.home() / "work"), "/work")),
        ("./work:/work", Mount("bind", str(Path.cwd() / "work"), "/work")),
        (".:/work", Mount("bind", str(Path.cwd()), "/work")),
    ],
)
def test_mounts(text: str, expected: Mount | None) -> None:
    assert parse_mount(text) == expected


@pytest.mark.parametrize(
    "text", ["work", "work:", ":/work", "work:work", "work:/work:ro", "a b:/x"]
)
def test_malformed_mounts(text: str) -> None:
    with pytest.raises(StartError, match=r"jupyter\.volume .*[Ww]rite"):
        parse_mount(text)


def test_defaults() -> None:
    body = make_recipe(JupyterSettings(), "t0ken").body(8888)
    host = body["HostConfig"]
    assert body["Cmd"] == ["start-notebook.py", "--ServerApp.trust_xheaders=True"]
    assert body["Env"] == ["JUPYTER_TOKEN=t0ken"]
    assert body["User"] == ""
    assert "GroupAdd" not in host
    assert host["Memory"] == 0
    assert host["PortBindings"] == {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8888"}]}
    assert "t0ken" not in str(body["Labels"])


def test_password_instead_of_token() -> None:
    password_hash = hash_passphrase("open sesame")
    body = make_recipe(JupyterSettings(password=password_hash), "").body(8888)
    assert body["Cmd"][-1] == f"--PasswordIdentityProvider.hashed_password={password_hash}"
    assert body["Env"] == []
    assert password_hash not in str(body["Labels"])


@pytest.mark.parametrize(
    ("user", "groups"),
    [("1001", ["users"]), ("1001:1001", ["users"]), ("0", None), ("root:0", None)],
)
def test_groups_of_a_user(user: str, groups: list[str] | None) -> None:
    body = make_recipe(JupyterSettings(user=user, memory_limit="512m"), "").body(8888)
    assert body["User"] == user
    assert body["HostConfig"].get("GroupAdd") == groups
    assert body["HostConfig"]["Memory"] == 512 << 20
