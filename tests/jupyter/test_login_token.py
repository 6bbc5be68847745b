from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.jupyter.login_token import login_token


def test_made_once_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "labgate"
    token = login_token(folder)
    assert len(token) == 48
    assert login_token(folder) == token
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "token").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["token"]


def test_two_that_start_together_agree(tmp_path: Path) -> None:
    together = threading.Barrier(8)
    tokens: set[str] = set()

    def start() -> None:
        together.wait()
        tokens.add(login_token(tmp_path / "state"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 1


@pytest.mark.parametrize("content", [b"", b" \n", b"two words", b"\xff\xfe"])
def test_a_damaged_one_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(StartError, match=r"holds no usable login token\. Remove it"):
        login_token(tmp_path)


def test_unwritable_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"Not a directory.*state\.folder"):
        login_token(tmp_path / "file" / "below")
