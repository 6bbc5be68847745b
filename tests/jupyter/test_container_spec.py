from __future__ import annotations

import pytest

from proxy.config.jupyter_settings import JupyterSettings
from proxy.config.password_hash import hash_passphrase
from proxy.jupyter.container_spec import container_spec_of
from proxy.jupyter.mounts import Folders


def test_defaults() -> None:
    body = container_spec_of(JupyterSettings(), "t0ken", None).body(8888, Folders())
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
    body = container_spec_of(JupyterSettings(password=password_hash), "", None).body(
        8888, Folders()
    )
    assert body["Cmd"][-1] == f"--PasswordIdentityProvider.hashed_password={password_hash}"
    assert body["Env"] == []
    assert password_hash not in str(body["Labels"])


@pytest.mark.parametrize(
    ("user", "groups"),
    [("1001", ["users"]), ("1001:1001", ["users"]), ("0", None), ("root:0", None)],
)
def test_groups_of_a_user(user: str, groups: list[str] | None) -> None:
    body = container_spec_of(JupyterSettings(user=user, memory_limit="512m"), "", None).body(
        8888, Folders()
    )
    assert body["User"] == user
    assert body["HostConfig"].get("GroupAdd") == groups
    assert body["HostConfig"]["Memory"] == 512 << 20
