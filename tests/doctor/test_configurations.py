"""``labgate doctor`` names what an nginx does wrong with header fields, and nothing else.

Each mend is then pasted, as somebody would who reads it, and the doctor finds nothing more. What
else an nginx can do wrong is in ``test_nginx_configurations``, other servers are in
``test_other_configurations``: the files are tested at the same time.
"""

from __future__ import annotations

import asyncio

import pytest

from proxy.doctor.examination import Credentials
from tests.doctor.configurations import NGINX, OF_FIELDS, WRONG
from tests.doctor.conftest import Start
from tests.doctor.examinations import examined, identifiers
from tests.doctor.running import check, examine, mended

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.nginx,
    pytest.mark.usefixtures("jupyterlab"),
]

ROWS = [
    name
    for name, (configuration, symptom) in WRONG.items()
    if configuration.server == "nginx" and symptom in OF_FIELDS
]


@pytest.mark.usefixtures("nothing_stays")
@pytest.mark.parametrize("name", ROWS)
def test_one_thing_is_wrong(name: str, start: Start) -> None:
    check(name, start)


def test_nothing_is_wrong(start: Start) -> None:
    right = examine(start(NGINX))
    assert right.found == [], right


def test_nothing_answers(start: Start) -> None:
    proxy = start(NGINX)
    proxy.stop()
    assert examine(proxy).found == ["unreachable"]


def test_the_afternoon_of_the_author(start: Start) -> None:
    """First "cannot create a file", then "cannot connect to the notebook server"."""
    as_copied = NGINX.without(
        "proxy_set_header Host", "proxy_set_header Upgrade", "proxy_set_header Connection"
    )
    proxy = start(as_copied)
    first = examine(proxy)
    assert first.found == ["origin-refused"]
    assert "proxy_set_header Host $http_host;" in first.mend["nginx"]

    proxy.restart(mended(proxy, first.mend))
    second = examine(proxy)
    assert second.found == ["websocket-not-upgraded"]
    assert "proxy_set_header Upgrade $http_upgrade;" in second.mend["nginx"]

    proxy.restart(mended(proxy, second.mend))
    third = examine(proxy)
    assert third.found == [], third


def test_of_a_bare_nginx_the_worst_comes_first(start: Start) -> None:
    """With nothing but proxy_pass much is wrong; what stops everybody stands above the rest."""
    bare = NGINX.without(
        *("proxy_set_header Host", "proxy_set_header Upgrade", "proxy_set_header Connection"),
        *("client_max_body_size", "large_client_header_buffers"),
    )
    proxy = start(bare)
    assert examine(proxy).found == ["origin-refused", "header-limit"]
    # Whoever gave the wrong token would mend the proxy in vain.
    wrong = asyncio.run(
        examined(
            proxy.url,
            proxy.certificates.authority,
            credentials=Credentials(token="wrong"),
            http_port=proxy.http_port,
        )
    )
    assert identifiers(wrong) == ["login-refused", "origin-refused", "header-limit"]
