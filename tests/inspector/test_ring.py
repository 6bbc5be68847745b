"""The ring's bounds, numbers and listeners."""

from __future__ import annotations

from proxy.inspector.exchange import CapturedMessage, Exchange
from proxy.inspector.ring import Ring

from .exchanges import exchange


def numbers(ring: Ring) -> list[int]:
    return [one.number for one in ring]


def test_the_oldest_go_when_there_are_too_many() -> None:
    ring = Ring(max_exchanges=3)
    for _ in range(5):
        ring.add(exchange())
    assert numbers(ring) == [3, 4, 5]
    assert (len(ring), ring.dropped, ring.last_number) == (3, 2, 5)
    assert ring.get(2) is None
    assert ring.get(3) is not None


def test_the_oldest_go_when_they_weigh_too_much() -> None:
    weight = exchange().octets
    ring = Ring(max_octets=3 * weight)
    for _ in range(4):
        ring.add(exchange())
    assert numbers(ring) == [2, 3, 4]
    assert ring.octets == 3 * weight


def test_one_that_grows_makes_others_go() -> None:
    ring = Ring(max_octets=4 * exchange().octets)
    first, second = exchange(), exchange(websocket=True)
    ring.add(first)
    ring.add(second)
    message = CapturedMessage(0.0, True, "text", 1, 1, text="x" * 3 * first.octets)
    second.messages.append(message)
    ring.grow(second, message.weight)
    assert numbers(ring) == [2]
    ring.update(second)
    assert ring.octets == second.octets


def test_the_newest_stays_however_large() -> None:
    ring = Ring(max_octets=10)
    ring.add(exchange())
    assert numbers(ring) == [1]


def test_one_that_had_to_go_is_not_counted_again() -> None:
    ring = Ring(max_exchanges=1)
    first = exchange()
    ring.add(first)
    ring.add(exchange())
    before = ring.octets
    ring.update(first)
    ring.grow(first, 1000)
    assert ring.octets == before
    assert numbers(ring) == [2]


def test_clear_forgets_all_but_the_numbers() -> None:
    ring = Ring()
    ring.add(exchange())
    ring.clear()
    assert (len(ring), ring.octets, ring.dropped) == (0, 0, 1)
    ring.add(exchange())
    assert numbers(ring) == [2]


def test_numbers_that_were_reserved_are_in_order_however_long_the_exchange_took() -> None:
    ring = Ring()
    first = ring.reserve()
    ring.add(exchange())
    ring.add(exchange(number=first))
    assert numbers(ring) == [1, 2]
    assert ring.dropped == 0


def test_listeners() -> None:
    ring, seen = Ring(), list[Exchange]()
    stop = ring.listen(seen.append)
    one = exchange()
    ring.add(one)
    ring.update(one)
    ring.grow(one, 1)
    stop()
    ring.add(exchange())
    assert seen == [one, one, one]
