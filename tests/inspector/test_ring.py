"""The ring's bounds, numbers and listeners."""

from __future__ import annotations

from dataclasses import asdict

from proxy.inspector.captured_heads import ID_OCTETS, HeadCaptures
from proxy.inspector.exchange import (
    CapturedChange,
    CapturedContent,
    CapturedHead,
    CapturedMessage,
    Exchange,
    Times,
)
from proxy.inspector.ring import Ring
from proxy.inspector.snapshot import Snapshot
from proxy.observe.record import FieldsUp, Record
from proxy.rules.changes import Change
from proxy.rules.head import Arrival, RequestHead, ResponseHead
from tests.heads import SITE

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


def ended_well(ring: Ring) -> Snapshot:
    client = Arrival("203.0.113.7", tls_seconds=0.5)
    went_up = FieldsUp(((b"Host", b"127.0.0.1"),), (Change("host", b"Host", b"a", b"b"),))
    record = Record(
        RequestHead(b"GET", b"/lab", (1, 0), ((b"Host", b"lab.example.org"),), client),
        fields_up=went_up,
        upstream_target=b"/below/lab",
        upstream_response=ResponseHead(200, b"OK", ((b"Server", b"x"),)),
        sent_down=(200, b"OK", ((b"Server", b"x"),)),
    )
    return Snapshot(
        HeadCaptures().of(record),
        number=ring.reserve(),
        clock_began=1_700_000_000.0,
        began=10.0,
        arrival=client,
        site=SITE,
        route="/user/ada",
        admitted_at=10.25,
        dial_seconds=None,
        sent_up_at=10.5,
        request_id=b"id",
        answered_at=11.0,
        sent_down_at=11.5,
        outcome="forwarded",
        bytes_up=1,
        bytes_down=2,
        seconds=2.0,
    )


def test_what_ended_well_becomes_an_exchange_when_somebody_looks() -> None:
    ring, failures = Ring(), list[Exchange]()
    ring.listen(failures.append, failures=True)
    ring.keep(ended_well(ring))
    assert len(ring) == 1
    one = ring.get(1)
    assert one is not None
    assert [ring.get(1), *ring] == [one, one]
    assert ring.get(1) is one
    assert one.started == 1_700_000_010.0
    assert one.received == CapturedHead("GET /lab HTTP/1.0", (("Host", "lab.example.org"),))
    assert one.sent_up is not None
    assert one.sent_up.line == "GET /below/lab HTTP/1.1"
    assert one.route == "/user/ada"
    assert one.sent_up.fields[-1] == ("X-Request-Id", "id")
    assert [change.rule for change in one.changes_up] == ["host", "request-id"]
    assert (one.peer, one.scheme, one.status, one.open) == ("203.0.113.7", "https", 200, False)
    assert one.times == Times(0.5, 0.25, None, 0.5, 1.0, 1.5, 2.0)
    assert (one.outcome, one.bytes_up, one.bytes_down) == ("forwarded", 1, 2)
    assert not failures


def test_one_that_is_looked_at_goes_when_it_is_the_oldest() -> None:
    ring = Ring(max_exchanges=3)
    for _ in range(3):
        ring.keep(ended_well(ring))
    assert ring.get(2) is not None
    for expected in ([2, 3, 4], [3, 4, 5], [4, 5, 6]):
        ring.keep(ended_well(ring))
        assert [number for number in range(1, 7) if ring.get(number)] == expected


def test_a_failure_stays_as_long_as_its_neighbours_when_all_are_looked_at() -> None:
    ring = Ring(max_exchanges=3)
    for _ in range(2):
        ring.keep(ended_well(ring))
    ring.add(exchange())
    assert numbers(ring) == [1, 2, 3]
    ring.keep(ended_well(ring))
    assert numbers(ring) == [2, 3, 4]


def test_who_listens_to_everything_hears_of_what_ended_well() -> None:
    ring, seen = Ring(), list[Exchange]()
    for _ in range(2):
        ring.listen(seen.append)
    ring.keep(ended_well(ring))
    assert [one.number for one in seen] == [1, 1]
    assert seen[0] is seen[1] is ring.get(1)


def test_what_ended_well_is_bounded_too() -> None:
    ring = Ring(max_exchanges=3)
    for _ in range(5):
        ring.keep(ended_well(ring))
    assert numbers(ring) == [3, 4, 5]
    first = exchange()
    ring.add(first)
    assert numbers(ring) == [4, 5, 6]
    whole = sum(one.octets for one in ring)
    assert 0 <= ring.octets - whole <= 2 * ID_OCTETS
    for _ in range(100):
        ring.keep(ended_well(ring))
    assert (ring.dropped, len(ring)) == (103, 3)
    ring.clear()
    assert ring.octets == 0


def test_details_are_those_that_the_dataclasses_have() -> None:
    head = CapturedHead("x", (("a", "b"),))
    change = CapturedChange("host", "Host", None, "b")
    one = exchange(
        sent_up=head,
        changes_up=(change,),
        content_up=CapturedContent("a", 1, True),
        messages=[CapturedMessage(0.0, True, "text", 1, 1)],
    )
    assert one.details() == asdict(one)
