"""The file: what is taken, what is refused with its line and the remedy, and how it is reread."""

from __future__ import annotations

import logging
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from passlib import hash as passlib_hash

from proxy.access import htpasswd
from proxy.access.htpasswd import (
    BCRYPT_OCTETS,
    CHECK_INTERVAL_SECONDS,
    Htpasswd,
    matches,
    parse_htpasswd,
    problem_with_user,
)
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
    assert parse_htpasswd(f"ada:{hashed}\n", PATH) == {"ada": hashed}
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
    assert parse_htpasswd(text, PATH) == {"ada": SESAME, "b\u00f6b c": APR1}


MAKE_IT = "make the line with `labgate password --htpasswd USER`"
OTHER_KIND = f"only bcrypt, argon2 and apr1 hashes are taken, this is none of them; {MAKE_IT}"
DAMAGED = f"hash is damaged or cut off; {MAKE_IT}"
TOO_LONG = f"hash would take too long; {MAKE_IT}"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ada", f"this is not USER:HASH; {MAKE_IT}"),
        (":" + SESAME, "the user's name is empty; write USER:HASH"),
        ("a\x07da:" + SESAME, "the user's name has control characters; remove them"),
        ("ada :" + SESAME, "a user's name has no colon, no spaces around it and no # in front"),
        ("ada:", OTHER_KIND),
        ("ada:open sesame", OTHER_KIND),
        ("ada:" + known.ldap_sha1.hash("sesame"), OTHER_KIND),
        ("ada:" + known.md5_crypt.hash("sesame"), OTHER_KIND),
        (
            "ada:" + known.sha512_crypt.using(rounds=1000).hash("sesame"),
            OTHER_KIND,
        ),
        ("ada:rqXexS6ZhobKA", OTHER_KIND),
        ("ada:" + SESAME.replace("$2b$", "$2x$"), OTHER_KIND),
        ("ada:argon2:" + ARGON2, OTHER_KIND),
        ("ada:" + SESAME[:-1], f"the bcrypt {DAMAGED}"),
        ("ada:" + SESAME[:20], f"the bcrypt {DAMAGED}"),
        ("ada:$2b$", f"the bcrypt {DAMAGED}"),
        ("ada:$2b$04$" + "a" * 53, f"the bcrypt {DAMAGED}"),  # padding bits
        ("ada:" + SESAME[:29], f"the bcrypt {DAMAGED}"),
        ("ada:" + ARGON2.rpartition("$")[0], f"the argon2 {DAMAGED}"),
        ("ada:$argon2id$v=18" + ARGON2[14:], f"the argon2 {DAMAGED}"),
        ("ada:" + APR1[:-1], f"the apr_md5_crypt {DAMAGED}"),
        ("ada:$apr1$12345678", f"the apr_md5_crypt {DAMAGED}"),
        ("ada:" + SESAME.replace("$04$", "$31$"), f"checking this bcrypt {TOO_LONG}"),
        ("ada:" + ARGON2.replace("m=64", "m=1048577"), f"checking this argon2 {TOO_LONG}"),
        ("ada:" + ARGON2.replace("t=1", "t=65"), f"checking this argon2 {TOO_LONG}"),
        ("bob:" + SESAME, "bob is on line 1 already; remove one of the two"),
    ],
    ids=count(),
)
def test_lines_that_are_refused(line: str, problem: str) -> None:
    """The message never quotes a hash, which may be a password by mistake."""
    with pytest.raises(StartError) as caught:
        parse_htpasswd(f"bob:{SESAME}\n\n{line}\n", PATH)
    assert str(caught.value) == f"{PATH}:3: {problem}."


COSTS = [
    SESAME.replace("$04$", "$16$"),
    ARGON2.replace("m=64", "m=1048576"),
    ARGON2.replace("t=1", "t=64"),
]


@pytest.mark.parametrize("hashed", COSTS, ids=["rounds", "memory", "passes"])
def test_the_highest_costs_that_are_taken(hashed: str) -> None:
    assert parse_htpasswd(f"ada:{hashed}", PATH) == {"ada": hashed}


NAMES = [
    ("ada", ""),
    ("a b", ""),
    ("", "the user's name is empty; write USER:HASH"),
    ("a:b", "a user's name has no colon, no spaces around it and no # in front"),
    ("#a", "a user's name has no colon, no spaces around it and no # in front"),
    (" a", "a user's name has no colon, no spaces around it and no # in front"),
    ("a\x00", "the user's name has control characters; remove them"),
]


@pytest.mark.parametrize(("user", "problem"), NAMES)
def test_names_that_can_log_in(user: str, problem: str) -> None:
    assert problem_with_user(user) == problem


def test_nobody_in_it() -> None:
    with pytest.raises(StartError) as caught:
        parse_htpasswd("# nobody yet\n", PATH)
    assert str(caught.value) == (
        "/etc/labgate/htpasswd (access.htpasswd) holds no user, so nobody could get in. "
        "Add one: labgate password --htpasswd USER >> /etc/labgate/htpasswd"
    )


def problem_with(file: Path) -> str:
    """What is said of a file that cannot be used."""
    with pytest.raises(StartError) as caught:
        Htpasswd(file)
    return str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert problem_with(missing) == (
        f"The htpasswd file {missing} (access.htpasswd) cannot be read: "
        "No such file or directory. "
        f"Make one: labgate password --htpasswd USER >> {missing}"
    )
    # Nobody writes there but systemd.
    assert problem_with(Path("/run/credentials/labgate.service/htpasswd")).endswith(
        " systemd provides it if the unit has a line LoadCredential=htpasswd:FILE."
    )
    assert "Is a directory" in problem_with(tmp_path)
    binary = tmp_path / "binary"
    binary.write_bytes(b"ada:" + SESAME.encode() + b"\n\xff\n")
    assert problem_with(binary) == f"{binary}:2: this is not UTF-8; {MAKE_IT}."
    binary.write_bytes(b"\xff\n\n")
    assert problem_with(binary).startswith(f"{binary}:1: ")


def test_a_file_has_no_more_than_a_mib(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    line = f"ada:{SESAME}\n".encode()
    file.write_bytes(line.ljust(htpasswd.MAX_FILE_BYTES, b"\n"))
    file.chmod(0o600)
    assert dict(Htpasswd(file).users) == {"ada": SESAME}
    file.write_bytes(line.ljust(htpasswd.MAX_FILE_BYTES + 1, b"\n"))
    problem = f"{file} (access.htpasswd) is no file of less than a MiB; name another."
    assert problem_with(file) == problem
    assert "no file of less than a MiB" in problem_with(Path("/dev/null"))


def test_readable_by_everybody_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "htpasswd"
    file.write_text(f"ada:{SESAME}\n")
    file.chmod(0o640)
    Htpasswd(file)
    assert not caplog.records
    file.chmod(0o644)
    Htpasswd(file)
    said = f"{file} is readable by everybody on this machine: chmod o-r {file}"
    assert caplog.messages == [said]


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


def test_a_file_that_was_just_read_is_left_alone_for_a_second(tmp_path: Path) -> None:
    before = time.monotonic()
    known = Reread(tmp_path / "htpasswd").known
    assert known.next_check >= before + CHECK_INTERVAL_SECONDS
    known.next_check = 0.0
    known.reload_if_changed()
    assert known.next_check >= before + CHECK_INTERVAL_SECONDS


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
    [warning] = caplog.records
    assert warning.levelno == logging.WARNING
    assert str(reread.file) in warning.message
    assert warning.message.endswith(" Until then the users from before get in.")
    caplog.set_level("INFO")
    reread.write(f"bob:{APR1}\n")
    assert reread.reload_if_changed() == {"bob": APR1}
    assert caplog.messages[1:] == [f"{reread.file}: 1 user(s) from now on"]


def test_a_file_changed_in_place_within_the_same_size(tmp_path: Path) -> None:
    reread = Reread(tmp_path / "htpasswd")
    other = CHEAP.hash("barley")
    with reread.file.open("r+") as file:
        file.write(f"ada:{other}\n")
    os.utime(reread.file, ns=(0, 0))
    assert reread.reload_if_changed() == {"ada": other}
