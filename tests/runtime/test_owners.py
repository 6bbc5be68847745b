from __future__ import annotations

import os
from pathlib import Path

from proxy.runtime.owners import owner_and_mode, this_user, user_name


def test_a_user_without_a_name_is_a_number() -> None:
    assert user_name(0) == "root"
    assert user_name(4_000_000_000) == "4000000000"


def test_whose_a_file_is(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.touch(mode=0o640)
    file.chmod(0o640)
    assert owner_and_mode(file) == f"belongs to {user_name(os.getuid())} and has mode 0640"
    assert owner_and_mode(tmp_path / "none") == "is in a folder that is closed to it"


def test_this_process() -> None:
    assert this_user().startswith(user_name(os.geteuid()))
