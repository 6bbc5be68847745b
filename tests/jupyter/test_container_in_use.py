"""A container that differs is not replaced while somebody works in it; on a real engine."""

from __future__ import annotations

import logging

import pytest

from proxy.config.password_hash import hash_passphrase
from tests.conftest import TEST_IMAGE
from tests.jupyter.place import Place
from tests.jupyter.visits import contents_status, keep_busy, open_terminal

pytestmark = pytest.mark.docker

MORE = "memory limit: was none, will be 1 GiB"


class Person:
    """Answers, and remembers what was asked."""

    def __init__(self, answer: bool) -> None:
        self._answer = answer
        self.asked: list[str] = []

    async def confirm(self, question: str) -> bool:
        self.asked.append(question)
        return self._answer


async def test_it_goes_on_with_a_warning(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """A kernel of a real Jupyter: what it tells of its kernels is what decides."""
    place.image = TEST_IMAGE
    _, first = await place.ready()
    await keep_busy(first.address, first.login.token)
    identity = (await place.inspect())["Id"]
    _, second = await place.ready(memory_limit="1g")
    assert second.description.endswith(", adopted as it is")
    assert second.address == first.address
    assert (await place.inspect())["Id"] == identity
    (said,) = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said == (
        f"Container {place.name} differs ({MORE}), and 1 kernel is busy. "
        "It goes on as it is; --recreate replaces it."
    )
    await open_terminal(first.address, first.login.token)
    _, third = await place.ready(memory_limit="1g")
    assert third.description.endswith(", adopted as it is")
    said = caplog.messages[-1]
    assert ", and 1 kernel is busy and 1 terminal is open. It goes on" in said


async def test_at_a_terminal_it_is_asked_for(place: Place) -> None:
    _, first = await place.ready()
    await open_terminal(first.address, first.login.token)
    no, yes = Person(answer=False), Person(answer=True)
    place.confirm = no.confirm
    _, second = await place.ready(memory_limit="1g")
    assert second.description.endswith(", adopted as it is")
    place.confirm = yes.confirm
    _, third = await place.ready(memory_limit="1g")
    assert third.description.endswith(", replaced")
    question = f"Container {place.name} differs ({MORE}), and 1 terminal is open. Replace it?"
    assert no.asked == yes.asked == [question]


async def test_a_password_hides_it_and_the_login_is_the_containers(place: Place) -> None:
    await place.ready(password=hash_passphrase("open sesame"))
    person = Person(answer=False)
    place.confirm = person.confirm
    _, second = await place.ready()
    assert "was a password, will be a token" in person.asked[0]
    assert "only who has the password can see" in person.asked[0]
    assert second.login.kind == "password"


async def test_the_token_of_one_that_goes_on_is_its_own(place: Place) -> None:
    _, first = await place.ready()
    await open_terminal(first.address, first.login.token)
    _, second = await place.ready(password=hash_passphrase("open sesame"))
    assert second.login == first.login
    assert await contents_status(second.address, second.login.token) == 200


@pytest.mark.deployment
async def test_it_is_replaced_where_that_is_asked_for(place: Place) -> None:
    _, first = await place.ready()
    await open_terminal(first.address, first.login.token)
    person = Person(answer=False)
    place.confirm = person.confirm
    _, second = await place.launched(memory_limit="1g", recreate=True)
    assert second.description.endswith(", replaced")
    assert person.asked == []


async def test_an_idle_one_is_replaced_without_a_question(place: Place) -> None:
    await place.ready()
    person = Person(answer=False)
    place.confirm = person.confirm
    _, second = await place.ready(memory_limit="1g")
    assert second.description.endswith(", replaced")
    assert person.asked == []
