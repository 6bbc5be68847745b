"""What a reload changes, and what it says needs a restart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from proxy.config.reloading import (
    AT_RELOAD,
    AT_RESTART,
    compare_settings,
    in_force_after_reload,
    route_changes,
)
from proxy.config.settings import Settings
from proxy.errors import UsageError
from tests.config.test_problems import keys

CONFIG = Path(__file__).parents[2] / "config"


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def test_every_key_is_in_one_table() -> None:
    """Whoever adds a key says when its change takes effect."""
    assert sorted([*AT_RELOAD, *AT_RESTART]) == sorted(
        ["routes", *(f"{one}.{key}" for one, key in keys())]
    )


def test_the_same_configuration_differs_in_nothing() -> None:
    assert compare_settings(settings(), settings(limits={"connections": 10_000})) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "changed", "restart"),
    [
        ({}, {"access": {"allow": "10.0.0.0/8"}}, ("access.allow",), ()),
        ({"access": {"allow": "10.0.0.0/8"}}, {}, ("access.allow",), ()),
        ({}, {"listen": {"workers": 2}}, (), ("listen.workers",)),
        ({}, {"jupyter": {"image": "x"}}, (), ("jupyter.image",)),
        (
            {},
            {"listen": {"server": "aiohttp", "drain_seconds": 3}},
            ("listen.drain_seconds",),
            ("listen.server",),
        ),
        (
            {},
            {"site": {"domains": "lab.example.org"}},
            ("site.domains", "site.hsts_seconds"),
            ("listen.bind", "listen.https_port", "listen.http_port"),
        ),
        (
            {"state": {"folder": "/a"}},
            {"state": {"folder": "/b"}},
            (),
            ("state.folder",),
        ),
    ],
)
def test_what_differs(
    old: dict[str, Any], new: dict[str, Any], changed: tuple[str, ...], restart: tuple[str, ...]
) -> None:
    assert compare_settings(settings(**old), settings(**new)) == (changed, restart)


def test_what_waits_keeps_its_value() -> None:
    new = settings(listen={"http_port": 8081, "workers": 3}, access={"allow": "10.0.0.0/8"})
    in_force = in_force_after_reload(settings(), new)
    assert in_force.http_port == 8080
    assert in_force.listen.workers == 1
    assert in_force.access == new.access


def test_ports_that_follow_from_the_domain_stay() -> None:
    new = settings(site={"domains": "lab.example.org"})
    in_force = in_force_after_reload(settings(), new)
    assert in_force.https_port == 8443
    assert in_force.bind == ("127.0.0.1", "::1")
    assert in_force.origins[0].port == 8443
    assert in_force.hsts_seconds == new.hsts_seconds


def test_the_state_folder_stays() -> None:
    old = settings(state={"folder": Path("/a")})
    assert in_force_after_reload(old, settings(state={"folder": "/b"})).state_folder == Path("/a")


def test_what_fits_only_after_a_restart_is_refused() -> None:
    """Without TLS its certificates are gone, but TLS itself cannot go."""
    old = settings(listen={"tls": False})
    new = settings(tls={"cert": "/c.pem", "key": "/k.pem"})
    with pytest.raises(
        UsageError, match=r"listen\.tls can only change with a restart, .* tls\.key"
    ):
        in_force_after_reload(old, new)


def test_a_reload_tells_what_becomes_of_each_route() -> None:
    ada = {"domains": "ada.example.org", "upstream": "http://127.0.0.1:8901"}
    bob = {"domains": "bob.example.org", "upstream": "unix:/run/bob"}
    eve = {"domains": "eve.example.org", "upstream": "unix:/run/eve"}
    moved = {**ada, "upstream": "http://127.0.0.1:8902"}
    old, new = settings(routes=[ada, bob]), settings(routes=[moved, eve])
    assert compare_settings(old, new) == (("routes",), ())
    assert route_changes(old, new) == [
        "https://bob.example.org/ has no route any more; the WebSockets that it had are cut",
        "https://ada.example.org/ leads to http://127.0.0.1:8902 from now on",
        "https://eve.example.org/ now leads to unix:/run/eve",
    ]
    assert route_changes(old, old) == []


def test_labgate_toml_says_what_needs_a_restart() -> None:
    text = (CONFIG / "labgate.toml").read_text("utf-8").replace("\n#", "")
    sentence = text.partition("These need a restart")[2].partition("\n")[0]
    sections, others = sentence.split("of the others")
    kept = re.findall(r"\w+_seconds", sections)
    whole = re.findall(r"\[(\w+)\]", sections)
    said = {f"{one}.{key}" for one, key in keys() if one in whole and key not in kept}
    assert said | set(re.findall(r"\w+\.\w+", others)) == AT_RESTART
