from __future__ import annotations

import resource

import pytest

from proxy.runtime.descriptors import raise_descriptor_limit, raise_soft_limit
from tests.runtime.interpreter import printed_numbers

RAISING = """
import resource, sys
from proxy.runtime.descriptors import raise_descriptor_limit
soft, hard, connections, others = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(raise_descriptor_limit(connections, others), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "others", "fit", "raised"),
    [
        (256, 4096, 1000, 0, 1000, 2256),
        (256, 4096, 1000, 100, 1000, 2356),
        (256, 1024, 1000, 0, 384, 1024),
        (256, 1024, 1000, 100, 334, 1024),
        (3000, 4096, 1000, 100, 1000, 3000),
        (64, 64, 1000, 0, 1, 64),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_needed(
    soft: int, hard: int, connections: int, others: int, fit: int, raised: int
) -> None:
    assert printed_numbers(RAISING, soft, hard, connections, others) == [fit, raised]


@pytest.mark.parametrize(("most", "limit"), [(100_000, 20_512), (10_240, 5_128), (100, 256)])
def test_an_undeclared_limit_is_approached(most: int, limit: int) -> None:
    """macOS says that the hard limit is infinite, and refuses what is above another number."""
    accepted = []

    def set_limit(wanted: tuple[int, int]) -> None:
        if wanted[0] > most:
            raise ValueError("current limit exceeds maximum limit")
        accepted.append(wanted[0])

    assert raise_soft_limit(256, 20_512, set_limit, resource.RLIM_INFINITY) == limit
    assert accepted == ([limit] if limit > 256 else [])


def test_a_sufficient_limit_is_unchanged() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert raise_descriptor_limit(1) == 1
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
