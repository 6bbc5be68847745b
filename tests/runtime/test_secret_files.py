"""Files of secrets: private, whole, and the same for everybody who starts at once."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy.runtime.secret_files import (
    make_private_folder,
    read_or_create_secret,
    write_atomically,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestWriting:
    def test_file_and_new_folders_are_private(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        file = tmp_path / "var" / "state" / "key"
        write_atomically(file, b"secret")
        assert file.read_bytes() == b"secret"
        assert mode(file) == 0o600
        assert [mode(folder) for folder in (file.parent, file.parent.parent)] == [0o700, 0o700]
        assert mode(tmp_path) == 0o755, "a folder that was there stays as it was"

    def test_another_mode_for_what_is_no_secret(self, tmp_path: Path) -> None:
        write_atomically(tmp_path / "cert.pem", b"public", mode=0o644)
        assert mode(tmp_path / "cert.pem") == 0o644

    def test_a_replaced_file_gets_the_mode_of_a_new_one(self, tmp_path: Path) -> None:
        file = tmp_path / "key"
        file.write_bytes(b"old")
        file.chmod(0o644)
        write_atomically(file, b"new")
        assert (file.read_bytes(), mode(file)) == (b"new", 0o600)

    def test_nothing_but_the_file_stays_behind(self, tmp_path: Path) -> None:
        write_atomically(tmp_path / "key", b"1")
        write_atomically(tmp_path / "key", b"2")
        assert list(tmp_path.iterdir()) == [tmp_path / "key"]

    def test_a_failed_replacement_leaves_what_was_there(self, tmp_path: Path) -> None:
        folder = tmp_path / "key"
        folder.mkdir()
        with pytest.raises(IsADirectoryError):
            write_atomically(folder, b"new")
        assert list(tmp_path.iterdir()) == [folder]

    def test_no_room_for_the_new_content(self, tmp_path: Path) -> None:
        """In a process of its own, which may write files of 10 bytes: the old content stays."""
        file = tmp_path / "key"
        write_atomically(file, b"old")
        script = (
            "import resource, sys\n"
            "from pathlib import Path\n"
            "from proxy.runtime.secret_files import write_atomically\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
            "write_atomically(Path(sys.argv[1]), bytes(11))\n"
        )
        command = [sys.executable, "-c", script, str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "File too large" in ended.stderr
        assert file.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [file]

    def test_a_reader_never_sees_a_part(self, tmp_path: Path) -> None:
        """While two writers replace it again and again."""
        file = tmp_path / "key"
        contents = {letter * 100_000 for letter in (b"a", b"b")}

        def write(content: bytes) -> None:
            for _ in range(50):
                write_atomically(file, content)

        write(b"a" * 100_000)
        with ThreadPoolExecutor(2) as writers:
            writing = [writers.submit(write, content) for content in contents]
            while not all(one.done() for one in writing):
                assert file.read_bytes() in contents
            for one in writing:
                one.result()
        assert list(tmp_path.iterdir()) == [file]


class TestReadingOrCreating:
    def test_it_is_made_once(self, tmp_path: Path) -> None:
        file = tmp_path / "state" / "token"
        secret = read_or_create_secret(file, 24)
        assert len(bytes.fromhex(secret)) == 24
        assert read_or_create_secret(file, 24) == secret
        assert mode(file) == 0o600
        assert mode(file.parent) == 0o700
        assert list(file.parent.iterdir()) == [file]

    def test_what_is_there_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("  mine\n")
        assert read_or_create_secret(tmp_path / "token", 24) == "mine"

    def test_several_that_start_together_get_the_same(self, tmp_path: Path) -> None:
        starting = threading.Barrier(8)

        def start(_: int) -> str:
            starting.wait()
            return read_or_create_secret(tmp_path / "token", 24)

        with ThreadPoolExecutor(8) as processes:
            assert len(set(processes.map(start, range(8)))) == 1
        assert list(tmp_path.iterdir()) == [tmp_path / "token"]

    def test_what_is_not_text_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_bytes(b"\xff")
        with pytest.raises(UnicodeDecodeError):
            read_or_create_secret(tmp_path / "token", 24)


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_private_folder(tmp_path / "file" / "below")
