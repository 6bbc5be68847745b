"""Which Jupyter a command serves, and whether it logs requests."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.net.upstream_address import DEFAULT_UPSTREAM, parse_upstream
from proxy.service.upstream_choice import upstream_of, writes_access_log

URL = "http://127.0.0.1:9999"
DEFAULT_UPSTREAM_URL = "http://127.0.0.1:8888"


def settings(url: str = "", launch: str = "auto", **log: Any) -> Settings:
    return Settings.model_validate(
        {"upstream": {"url": url}, "jupyter": {"launch": launch}, "log": log}
    )


def test_the_upstream_of_a_command() -> None:
    assert upstream_of(settings(URL), launches=False) == parse_upstream(URL)
    assert upstream_of(settings(), launches=True) is None
    assert upstream_of(settings(URL, "none"), launches=True) == parse_upstream(URL)
    assert upstream_of(settings("", "none"), launches=True) == DEFAULT_UPSTREAM


def test_a_configuration_of_another_command() -> None:
    with pytest.raises(UsageError, match="serve needs to know where Jupyter is"):
        upstream_of(settings(), launches=False)
    alone = Settings.model_validate({"upstream": {"url": URL}})
    with pytest.raises(UsageError, match="add --launch none"):
        upstream_of(alone, launches=True)


def test_both_a_jupyter_that_runs_and_one_to_launch_are_refused() -> None:
    with pytest.raises(UsageError, match=r"leave upstream\.url out") as caught:
        upstream_of(settings(URL, "docker"), launches=True)
    assert "launch none" not in str(caught.value)


def test_where_every_jupyter_is_in_routes_there_is_none_to_launch_and_none_of_the_site() -> None:
    routes = {"routes": [{"domains": "ada.example.org", "upstream": URL}]}
    assert upstream_of(Settings.model_validate(routes), launches=False) is None
    with pytest.raises(UsageError, match=r"`labgate serve` serves those .* jupyter.launch ="):
        upstream_of(Settings.model_validate(routes), launches=True)
    both = Settings.model_validate(routes | {"jupyter": {"launch": "process"}})
    assert upstream_of(both, launches=True) is None
    beside = Settings.model_validate(routes | {"upstream": {"url": DEFAULT_UPSTREAM_URL}})
    assert upstream_of(beside, launches=False) == DEFAULT_UPSTREAM


@pytest.mark.parametrize(
    ("log", "launches", "written"),
    [
        ({}, False, True),
        ({}, True, False),
        ({"access": True}, True, True),
        ({"access": False}, False, False),
        ({"show_headers": True}, False, False),
        ({"show_headers": True, "access": True}, False, True),
    ],
)
def test_the_access_log(log: dict[str, Any], launches: bool, written: bool) -> None:
    assert writes_access_log(settings(**log), launches=launches) is written
