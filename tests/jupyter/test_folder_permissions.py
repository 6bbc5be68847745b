from __future__ import annotations

from typing import Any

import pytest

from proxy.jupyter.folder_permissions import ProbeResult, jupyter_user, parse_probe_output

PLAIN = """user 1000 100
uids          0          0 4294967295
gids          0          0 4294967295
"""
# As a rootless engine gives it: the container's root is the person, the rest are subordinates.
ROOTLESS = """user 1000 100
uids          0       1001          1
uids          1     100000      65536
gids          0       1001          1
gids          1     100000      65536
folder no 65534:65534
folder yes 0:0
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAIN, ProbeResult(1000, 100, "1000:100", ())),
        (PLAIN + "folder no 0:0\n", ProbeResult(1000, 100, "1000:100", ((False, "0:0"),))),
        (
            ROOTLESS,
            ProbeResult(1000, 100, "100999:100099", ((False, "65534:65534"), (True, "0:0"))),
        ),
        ("user 0 0\nuids 0 1001 1\ngids 0 1001 1\n", ProbeResult(0, 0, "1001:1001", ())),
    ],
)
def test_what_the_container_tells(text: str, expected: ProbeResult) -> None:
    assert parse_probe_output(text) == expected


@pytest.mark.parametrize(
    ("asked", "image", "expected"),
    [
        ("", {"User": "jovyan"}, ""),
        ("1001:1001", {"User": "jovyan"}, "1001:1001"),
        ("root", {"User": "1000", "Env": ["NB_UID=1000", "NB_GID=100"]}, "1000:100"),
        ("0:0", {"Env": ["NB_UID=1000"]}, "1000:100"),
        ("0", {"Env": []}, "0"),
        ("", {"User": ""}, ""),
    ],
)
def test_who_jupyter_runs_as(asked: str, image: dict[str, Any], expected: str) -> None:
    assert jupyter_user(image, asked) == expected
