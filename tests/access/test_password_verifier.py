"""Which passwords are hashed, which are remembered, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from passlib.hash import bcrypt

from proxy.access import password_verifier
from proxy.access.basic import BasicCredentials
from proxy.access.password_verifier import (
    MAX_CONCURRENT_HASHES,
    MAX_REMEMBERED_PASSWORDS,
    MAX_WAITING_CHECKS,
    REMEMBER_PASSWORD_SECONDS,
    PasswordVerifier,
)

KEY = b"k" * 32
CHEAP = bcrypt.using(rounds=4)
USERS = {"ada": CHEAP.hash("sesame"), "bob": CHEAP.hash("barley")}
ADA = BasicCredentials("ada", b"sesame")


class Clock:
    """Minutes pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    # Nobody waits for five minutes.
    monkeypatch.setattr(password_verifier, "monotonic", clock)
    return clock


async def check(
    verifier: PasswordVerifier,
    credentials: BasicCredentials = ADA,
    users: Mapping[str, str] = USERS,
    *,
    wanted: bool = True,
) -> bool | None:
    digest = verifier.digest(credentials, users)
    return await verifier.check(credentials, users, digest, lambda: wanted)


def remembers(verifier: PasswordVerifier, credentials: BasicCredentials = ADA) -> bool:
    return verifier.remembers(verifier.digest(credentials, USERS))


async def test_a_right_password_is_remembered_for_minutes(clock: Clock) -> None:
    verifier = PasswordVerifier(KEY)
    assert not remembers(verifier)
    assert await check(verifier) is True
    clock.now += REMEMBER_PASSWORD_SECONDS - 1
    assert remembers(verifier)
    clock.now += 1
    assert not remembers(verifier), "however often it is used"
    assert not remembers(verifier)


@pytest.mark.parametrize(
    "credentials", [BasicCredentials("ada", b"x"), BasicCredentials("eve", b"sesame")]
)
async def test_a_wrong_password_is_not_remembered(credentials: BasicCredentials) -> None:
    verifier = PasswordVerifier(KEY)
    assert await check(verifier, credentials) is False
    assert verifier.hashed == 1, "it takes as long for a user who does not exist"
    assert not remembers(verifier, credentials)


async def test_an_unknown_user_does_not_get_in_with_the_password_of_a_known_one() -> None:
    users = {"ada": USERS["ada"]}
    assert await check(PasswordVerifier(KEY), BasicCredentials("eve", b"sesame"), users) is False


async def test_what_is_no_longer_wanted_is_not_hashed() -> None:
    verifier = PasswordVerifier(KEY)
    assert await check(verifier, wanted=False) is None
    assert verifier.hashed == 0
    assert not remembers(verifier)


OTHERS = [
    BasicCredentials("adas", b"esame"),
    BasicCredentials("ad", b"asesame"),
    BasicCredentials("ada", b"sesame "),
    BasicCredentials("bob", b"sesame"),
]


def test_every_user_password_hash_and_key_has_its_own_digest() -> None:
    verifier = PasswordVerifier(KEY)
    digest = verifier.digest(ADA, USERS)
    assert digest == PasswordVerifier(KEY).digest(ADA, USERS), "the same in all workers"
    digests = {digest, *(verifier.digest(other, USERS) for other in OTHERS)}
    digests |= {verifier.digest(ADA, {}), verifier.digest(ADA, {"ada": USERS["bob"]})}
    digests |= {PasswordVerifier(b"o" * 32).digest(ADA, USERS)}
    digests |= {PasswordVerifier().digest(ADA, USERS), PasswordVerifier().digest(ADA, USERS)}
    assert len(digests) == 10
    assert verifier.digest(BasicCredentials("eve", b"x"), {}) == verifier.digest(
        BasicCredentials("eve", b"x"), {"eve": ""}
    )


async def test_the_password_that_was_used_longest_ago_is_forgotten_first() -> None:
    verifier = PasswordVerifier(KEY)
    await check(verifier)
    bob = BasicCredentials("bob", b"barley")
    await check(verifier, bob)
    assert remembers(verifier), "used last"
    for number in range(MAX_REMEMBERED_PASSWORDS - 2):
        verifier._remembered[b"%d" % number] = float("inf")
    assert remembers(verifier)
    again = {"bob": CHEAP.hash("barley")}
    await check(verifier, bob, again)
    assert remembers(verifier)
    assert not remembers(verifier, bob)
    assert verifier.remembers(b"0"), "only one had to go"


async def test_checks_wait_for_each_other_and_are_limited() -> None:
    verifier = PasswordVerifier(KEY)
    seen: list[int] = []

    def wanted() -> bool:
        seen.append(verifier._waiting)
        return False

    for _ in range(MAX_CONCURRENT_HASHES):
        await verifier._slots.acquire()
    digest = verifier.digest(ADA, USERS)
    checks = [
        asyncio.ensure_future(verifier.check(ADA, USERS, digest, wanted))
        for _ in range(MAX_WAITING_CHECKS)
    ]
    await asyncio.sleep(0)
    assert verifier.is_overloaded
    assert not seen, "no slot is free"
    verifier._slots.release()
    await asyncio.gather(*checks)
    assert seen == list(range(MAX_WAITING_CHECKS, 0, -1))
    assert not verifier.is_overloaded


def test_an_unknown_user_always_has_the_same_hash_of_somebody() -> None:
    verifier = PasswordVerifier(KEY)
    hashes = {user: verifier._hash_of(user, USERS) for user in map(str, range(50))}
    assert set(hashes.values()) == set(USERS.values()), "not always that of the same one"
    assert hashes == {user: verifier._hash_of(user, USERS) for user in hashes}
    assert verifier._hash_of("ada", USERS) == USERS["ada"]
    other = PasswordVerifier(b"o" * 32)
    assert hashes != {user: other._hash_of(user, USERS) for user in hashes}, "not to be foreseen"
