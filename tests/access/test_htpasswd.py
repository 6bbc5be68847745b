"""The file: what is taken, what is refused with its line and the mend, and how it is reread."""

from __future__ import annotations

import logging
import os
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from passlib import hash as passlib_hash

from proxy.access import htpasswd
from proxy.access.htpasswd import BCRYPT_OCTETS, Htpasswd, matches, parse
from proxy.errors import StartError

PATH = Path("/etc/labgate/htpasswd")
known: Any = passlib_hash
CHEAP = known.bcrypt.using(rounds=4)
SESAME = CHEAP.hash("sesame")
CHEAP_ARGON2 = known.argon2.using(rounds=1, memory_cost=64, parallelism=1)
ARGON2 = CHEAP_ARGON2.hash("sesame")
APR1 = known.apr_md5_crypt.hash("sesame")


@pytest.mark.parametrize(
    "hashed",
    [
        SESAME,
        known.bcrypt.using(rounds=4, ident="2y").hash("sesame"),
        known.bcrypt.using(rounds=4, ident="2a").hash("sesame"),
        ARGON2,
        known.argon2.using(type="I", rounds=1, memory_cost=64, parallelism=1).hash("sesame"),
        known.argon2.using(type="D", rounds=1, memory_cost=64, parallelism=1).hash("sesame"),
        APR1,
        # Written by Apache's own htpasswd -m.
        "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
    ],
    ids=count(),
)
def test_kinds_that_are_taken(hashed: str) -> None:
    assert parse(f"ada:{hashed}\n", PATH) == {"ada": hashed}
    right = b"myPassword" if "r31" in hashed else b"sesame"
    assert matches(right, hashed)
    assert not matches(b"barley", hashed)


def test_bcrypt_knows_72_octets() -> None:
    """As Apache's htpasswd cuts off; the bcrypt module itself raises for more."""
    hashed = CHEAP.hash(b"x" * BCRYPT_OCTETS)
    assert matches(b"x" * 100, hashed)
    assert not matches(b"x" * 71, hashed)
    assert matches(b"x" * 100, CHEAP_ARGON2.hash(b"x" * 100))
    assert not matches(b"x" * 100, CHEAP_ARGON2.hash(b"x" * 99))


def test_comments_and_empty_lines() -> None:
    text = f"# staff\r\n\r\n  \nada:{SESAME}\r\n  # more\nb\u00f6b c:{APR1}:since 2024\n"
    assert parse(text, PATH) == {"ada": SESAME, "b\u00f6b c": APR1}


@pytest.mark.parametrize(
    ("line", "about"),
    [
        ("ada", "not USER:HASH"),
        (":" + SESAME, "name is empty"),
        ("a\x07da:" + SESAME, "control characters"),
        ("ada :" + SESAME, "no spaces around"),
        ("ada:", "only bcrypt, argon2 and apr1"),
        ("ada:open sesame", "only bcrypt, argon2 and apr1"),
        ("ada:" + known.ldap_sha1.hash("sesame"), "only bcrypt, argon2 and apr1"),
        ("ada:" + known.md5_crypt.hash("sesame"), "only bcrypt, argon2 and apr1"),
        (
            "ada:" + known.sha512_crypt.using(rounds=1000).hash("sesame"),
            "only bcrypt, argon2 and apr1",
        ),
        ("ada:rqXexS6ZhobKA", "only bcrypt, argon2 and apr1"),
        ("ada:" + SESAME.replace("$2b$", "$2x$"), "only bcrypt, argon2 and apr1"),
        ("ada:argon2:" + ARGON2, "only bcrypt, argon2 and apr1"),
        ("ada:" + SESAME[:-1], "bcrypt hash is damaged"),
        ("ada:" + SESAME[:20], "bcrypt hash is damaged"),
        ("ada:$2b$", "bcrypt hash is damaged"),
        ("ada:$2b$04$" + "a" * 53, "bcrypt hash is damaged"),  # padding bits
        ("ada:" + SESAME[:29], "bcrypt hash is damaged"),
        ("ada:" + ARGON2.rpartition("$")[0], "argon2 hash is damaged"),
        ("ada:$argon2id$v=18" + ARGON2[14:], "argon2 hash is damaged"),
        ("ada:" + APR1[:-1], "apr_md5_crypt hash is damaged"),
        ("ada:$apr1$12345678", "apr_md5_crypt hash is damaged"),
        ("ada:" + SESAME.replace("$04$", "$31$"), "too long"),
        ("ada:" + ARGON2.replace("m=64", "m=2097152"), "too long"),
        ("ada:" + ARGON2.replace("t=1", "t=1000"), "too long"),
        ("bob:" + SESAME, "bob is on line 1 already"),
    ],
    ids=count(),
)
def test_lines_that_are_refused(line: str, about: str) -> None:
    with pytest.raises(StartError) as caught:
        parse(f"bob:{SESAME}\n\n{line}\n", PATH)
    problem = str(caught.value)
    assert problem.startswith(f"{PATH}:3: ")
    assert about in problem
    assert "sesame" not in problem
    if "bcrypt" in about:
        assert "labgate password --htpasswd USER" in problem


def test_nobody_in_it() -> None:
    with pytest.raises(StartError, match="holds no user"):
        parse("# nobody yet\n", PATH)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(StartError, match="labgate password --htpasswd USER >> ") as caught:
        Htpasswd(missing)
    assert str(missing) in str(caught.value)
    with pytest.raises(StartError):
        Htpasswd(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"ada:" + SESAME.encode() + b"\n\xff\n")
    with pytest.raises(StartError, match=":2: this is not UTF-8"):
        Htpasswd(binary)
    big = tmp_path / "big"
    big.write_bytes(b"#" * (htpasswd.MAX_FILE_BYTES + 1))
    with pytest.raises(StartError, match="less than a MiB"):
        Htpasswd(big)


def test_readable_by_everybody_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "htpasswd"
    file.write_text(f"ada:{SESAME}\n")
    file.chmod(0o640)
    Htpasswd(file)
    assert not caplog.records
    file.chmod(0o644)
    Htpasswd(file)
    assert "chmod o-r" in caplog.text


class Reread:
    """A file whose users are looked at without waiting for a second to pass."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.write(f"ada:{SESAME}\n")
        self.known = Htpasswd(file)

    def write(self, text: str) -> None:
        temporary = self.file.with_suffix(".new")
        temporary.write_text(text)
        temporary.chmod(0o600)
        temporary.rename(self.file)

    def reload_if_changed(self) -> dict[str, str]:
        self.known.next_check = 0.0
        self.known.reload_if_changed()
        return dict(self.known.users)


def test_a_changed_file_counts(tmp_path: Path) -> None:
    reread = Reread(tmp_path / "htpasswd")
    reread.write(f"bob:{APR1}\n")
    assert reread.reload_if_changed() == {"bob": APR1}


def test_between_two_looks_the_file_is_left_alone(tmp_path: Path) -> None:
    reread = Reread(tmp_path / "htpasswd")
    reread.reload_if_changed()
    reread.write(f"bob:{APR1}\n")
    reread.known.reload_if_changed()
    assert dict(reread.known.users) == {"ada": SESAME}


@pytest.mark.parametrize(
    "broken",
    ["", "# nobody\n", f"bob:{SESAME}\nada:{SESAME[:-2]}\n", None],
    ids=["empty", "nobody", "damaged", "removed"],
)
def test_a_broken_or_removed_file_changes_nothing(
    broken: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reread = Reread(tmp_path / "htpasswd")
    if broken is None:
        reread.file.unlink()
    else:
        reread.write(broken)
    for _ in range(3):
        assert reread.reload_if_changed() == {"ada": SESAME}
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.WARNING
    assert str(reread.file) in caplog.text
    assert "the users from before" in caplog.text
    reread.write(f"bob:{APR1}\n")
    assert reread.reload_if_changed() == {"bob": APR1}


def test_a_file_changed_in_place_within_the_same_size(tmp_path: Path) -> None:
    reread = Reread(tmp_path / "htpasswd")
    other = CHEAP.hash("barley")
    with reread.file.open("r+") as file:
        file.write(f"ada:{other}\n")
    os.utime(reread.file, ns=(0, 0))
    assert reread.reload_if_changed() == {"ada": other}
