"""The configurations that the doctor is tried on are ones that their servers accept.

Traefik has no command that checks one: ``test_traefik`` starts it with each.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.doctor.certificates import Certificates
from tests.doctor.configuration import Configuration, entries
from tests.doctor.configurations import NGINX, RIGHT, WRONG
from tests.doctor.proxies import proxy

ALL = RIGHT | {name: configuration for name, (configuration, _) in WRONG.items()}
CHECKED = {name: one for name, one in ALL.items() if one.server != "traefik"}


@pytest.mark.parametrize("configuration", CHECKED.values(), ids=CHECKED)
def test_the_server_accepts_it(
    configuration: Configuration, tmp_path: Path, certificates: Certificates
) -> None:
    written = proxy(tmp_path, configuration, "127.0.0.1:8888", certificates)
    checked = subprocess.run(written.check(), capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_what_is_pasted_replaces_what_set_the_same() -> None:
    mend = """\
# Before the server block:
map $http_origin $jupyter_origin {
    default $http_origin;
}
# In the location of Jupyter, instead of every other line for Host:
proxy_set_header Host $host;
# Take out: proxy_set_header X-Real-IP …
proxy_max_temp_file_size 0;
"""
    pasted = NGINX.pasted(mend)
    before, location = (
        pasted.places["Before the server block"],
        pasted.places["In the location of Jupyter"],
    )
    assert [entry.splitlines()[0] for entry in before] == [
        "map $http_upgrade $connection_upgrade {",
        "server {",
        "map $http_origin $jupyter_origin {",
    ]
    assert "proxy_set_header Host $host;" in location
    assert "proxy_set_header Host $http_host;" not in location
    assert not [entry for entry in location if "X-Real-IP" in entry]
    assert location[-1] == "proxy_max_temp_file_size 0;"


def test_a_block_is_one_entry() -> None:
    assert list(entries("a {\n    b\n}\nc\n<D>\n    e\n</D>\n")) == [
        "a {\n    b\n}",
        "c",
        "<D>\n    e\n</D>",
    ]
