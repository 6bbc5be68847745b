from __future__ import annotations

import hashlib
from itertools import count

import pytest
from jupyter_server.auth import security

from proxy.config.password_hash import hash_passphrase, problem_with_jupyter_hash

ARGON2 = hash_passphrase("open sesame")


def digest(algorithm: str, salt: str = "0123abcdef45") -> str:
    value = hashlib.new(algorithm, b"open sesame" + salt.encode()).hexdigest()
    return f"{algorithm}:{salt}:{value}"


@pytest.mark.parametrize(
    "value",
    [
        ARGON2,
        security.passwd("open sesame"),  # type: ignore[no-untyped-call]
        digest("sha1"),
        digest("sha256"),
        digest("sha3_512"),
        digest("blake2b"),
        digest("sha256", salt=""),
    ],
)
def test_accepted_as_jupyter_accepts_it(value: str) -> None:
    assert problem_with_jupyter_hash(value) == ""
    assert security.passwd_check(value, "open sesame")  # type: ignore[no-untyped-call]
    assert not security.passwd_check(value, "open barley")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("value", "about"),
    [
        (ARGON2.removeprefix("argon2:"), "begin with `argon2:`"),
        (ARGON2[:-40], "damaged"),
        ("argon2:", "damaged"),
        ("argon2:$argon2id$", "damaged"),
        ("argon2:é", "damaged"),
        (hash_passphrase(""), "empty passphrase"),
        ("bcrypt:$2b$12$abcdefghijklmnopqrstuv", "ALGORITHM:SALT:HEX"),
        ("$2b$12$abcdefghijklmnopqrstuv", "not a password hash"),
        ("open sesame", "not a password hash"),
        ("open:sesame", "ALGORITHM:SALT:HEX"),
        ("open:sesame:please", "ALGORITHM:SALT:HEX"),
        ("sha1:salt", "ALGORITHM:SALT:HEX"),
        ("sha1:salt:", "no digest"),
        ("shake_128:salt:abcdef", "ALGORITHM:SALT:HEX"),
        (digest("sha1").upper().replace("SHA1", "sha1"), "lower case"),
        (digest("sha1")[:-1], "40 hexadecimal digits"),
        (digest("sha1") + "0", "40 hexadecimal digits"),
        (digest("sha1")[:-1] + "g", "40 hexadecimal digits"),
        ("sha1:sält:" + "0" * 40, "not ASCII"),
        (digest("sha1") + "\n", "spaces around"),
    ],
    ids=count(),
)
def test_refused_with_the_remedy(value: str, about: str) -> None:
    problem = problem_with_jupyter_hash(value)
    assert about in problem
    assert "labgate password" in problem
    assert "sesame" not in problem
    assert not problem.endswith(".")


def test_hash_has_jupyters_parameters() -> None:
    assert ARGON2.startswith("argon2:$argon2id$v=19$m=10240,t=10,p=8$")
