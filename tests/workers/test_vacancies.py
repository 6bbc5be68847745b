"""Whose sockets a worker inherits, and what is told while one is away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.net.ports import Ports, bind
from proxy.workers.channel import WorkerMessage
from proxy.workers.sockets import sockets_per_worker
from proxy.workers.vacancies import Vacancies

WORKERS = 3


@pytest.fixture(params=[True, False], ids=["balanced", "shared"])
def ports(request: pytest.FixtureRequest) -> Iterator[list[Ports]]:
    """Those of each worker; the second port is shared in both cases, as a Unix socket is."""
    main = sockets_per_worker(bind(["127.0.0.1"], 0, "--x"), WORKERS, balanced=request.param)
    plain = sockets_per_worker(bind(["127.0.0.1"], 0, "--x"), WORKERS, balanced=False)
    made = [Ports(*both) for both in zip(main, plain, strict=True)]
    yield made
    for one in made:
        one.close()


def test_a_worker_inherits_what_the_others_have_and_itself_has_not(ports: list[Ports]) -> None:
    vacancies = Vacancies(lambda: ports, lambda _: None)
    shared = ports[0].main == ports[1].main
    for index in range(WORKERS):
        others = vacancies.others(index)
        theirs = [one.main[0] for number, one in enumerate(ports) if number != index]
        assert others.main == ([] if shared else theirs)
        assert others.plain == []


def test_all_are_told_who_is_away(ports: list[Ports]) -> None:
    told: list[WorkerMessage] = []
    vacancies = Vacancies(lambda: ports, told.append)

    def descriptors(*indexes: int) -> WorkerMessage:
        return {"vacant": [one.fileno() for index in indexes for one in ports[index].sockets]}

    vacancies.begin(2)
    vacancies.begin(0)
    vacancies.begin(0)
    vacancies.end(2)
    vacancies.end(0)
    assert told == [descriptors(*away) for away in [(2,), (0, 2), (0, 2), (0,), ()]]
