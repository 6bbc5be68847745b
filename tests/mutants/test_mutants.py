"""How mutants are named, and that the lists of survivors can be read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proxy.rules.networks import limit_key
from tests.mutants import survivors
from tests.mutants.cleared_caches import pytest_sessionstart
from tests.mutants.mutant import mutants_of
from tests.mutants.scratch import TESTS

MUTATED = '''\
"""A module."""


def x_double__mutmut_orig(number: int) -> int:
    """Twice the number."""
    return number * 2


def x_double__mutmut_1(number: int) -> int:
    """Twice the number."""
    return number / 2


class Count:
    async def xǁCountǁadd__mutmut_orig(self) -> None:
        self.count += (
            1
        )

    async def xǁCountǁadd__mutmut_1(self) -> None:
        self.count += (
            2
        )
'''
SPANS = {
    "x_double__mutmut_orig": [4, 6],
    "x_double__mutmut_1": [9, 11],
    "xǁCountǁadd__mutmut_orig": [15, 18],
    "xǁCountǁadd__mutmut_1": [20, 23],
}
ENDED = {
    "proxy.rules.math.x_double__mutmut_1": 1,
    "proxy.rules.math.xǁCountǁadd__mutmut_1": 33,
}


def test_no_cache_hides_a_mutant() -> None:
    assert limit_key("203.0.113.7") == "203.0.113.7"
    assert limit_key.cache_info().currsize
    pytest_sessionstart()
    assert not limit_key.cache_info().currsize


def test_a_mutant_is_named_by_its_function_and_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "math.py"
    file.write_text(MUTATED)
    (tmp_path / "math.py.spans").write_text(json.dumps({"version": 1, "spans": SPANS}))
    (tmp_path / "math.py.meta").write_text(json.dumps({"exit_code_by_key": ENDED}))
    double, add = mutants_of(file, "rules.math")
    assert double.key == "rules.math.double\n- return number * 2\n+ return number / 2"
    assert not double.survived
    assert add.key == "rules.math.Count.add\n- 1\n+ 2"
    assert add.survived, "no test calls it"


@pytest.mark.parametrize("name", ["accepted.toml", "open.toml"])
def test_every_listed_survivor_has_a_reason_and_its_changed_lines(name: str) -> None:
    for key, reason in survivors.read(name).items():
        assert reason.endswith("."), key
        function, *changes = key.splitlines()
        assert function.split(".")[0] in TESTS, key
        assert changes, key
        assert all(line.startswith(("- ", "+ ")) for line in changes), key


def test_no_survivor_is_both_accepted_and_open() -> None:
    assert not survivors.read("accepted.toml").keys() & survivors.read("open.toml").keys()
