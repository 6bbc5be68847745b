"""What the settings make of the parts. Tests of descriptors: tests/e2e/test_descriptors.py."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import RevokedFile
from proxy.builders import bind_ports, build_site, build_static_cache, cache_folder_name
from proxy.cache.static_cache import StaticCache
from proxy.config.routes import served_routes, site_route
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.net.upstream_address import UpstreamAddress
from proxy.proxying.pool import Pool
from proxy.routes.logins import Logins
from tests.e2e.programs import free_port

UPSTREAM = UpstreamAddress("127.0.0.1", 8888)


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def test_a_port_that_is_taken_leaves_none_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken, free = other.getsockname()[1], free_port()
        listen = {"bind": "127.0.0.1", "https_port": free, "http_port": taken}
        with pytest.raises(StartError, match=r"--http-port \(0 for none\)"):
            bind_ports(settings(listen=listen))
        socket.create_server(("127.0.0.1", free)).close()


@pytest.mark.parametrize(
    ("listen", "main", "plain"),
    [({"http_port": 0}, 1, 0), ({}, 1, 1), ({"tls": False}, 1, 0)],
    ids=["no plain port", "both", "no TLS"],
)
def test_each_port_has_its_sockets(listen: dict[str, Any], main: int, plain: int) -> None:
    given = {"bind": "127.0.0.1", "http_port": free_port()} | listen
    if given.get("tls", True):
        given["https_port"] = free_port()
    ports = bind_ports(settings(listen=given))
    try:
        assert (len(ports.main), len(ports.plain)) == (main, plain)
    finally:
        for opened in (*ports.main, *ports.plain):
            opened.close()


def test_no_two_routes_share_a_folder_of_the_disk_cache() -> None:
    paths = ["/a/b", "/a_b", "/A/b", "/a", "/b", "/" + "long" * 100 + "/1", "/" + "long" * 100]
    routes = [{"path": path, "upstream": "unix:/x"} for path in paths]
    made = settings(site={"domains": "lab.example.org"}, routes=routes)
    names = [cache_folder_name(route) for route in served_routes(made)]
    assert len({name.lower() for name in names}) == len(routes)
    assert all("/" not in name and len(name) < 200 for name in names)
    assert names[0].startswith("lab.example.org_443_a_b_")
    # Of a Jupyter with a name of its own, the name alone.
    assert cache_folder_name(site_route(made)) == "lab.example.org_443"


async def test_one_key_turns_the_cache_off_and_its_memory_is_bounded() -> None:
    def kept(**sections: Any) -> StaticCache | None:
        made = settings(**sections)
        return build_static_cache(made, site_route(made), Pool(UPSTREAM))

    by_default, smaller = kept(), kept(cache={"memory_mib": 1})
    assert by_default is not None
    assert smaller is not None
    assert by_default.files.max_bytes == 32 * 2**20
    assert smaller.files.max_bytes == 2**20
    assert kept(cache={"enabled": False}) is None


def test_nobody_is_asked_where_there_is_nothing_to_ask_or_count(tmp_path: Path) -> None:
    for failures, asked in ((0, False), (10, True)):
        made = settings(access={"login_failures": failures})
        logins = Logins(made, Lockout(failures, 900.0), b"key", RevokedFile(tmp_path))
        assert (logins.access_control(site_route(made)) is not None) == asked


def test_challenges_are_answered_where_certificates_are_obtained() -> None:
    domain = {"domains": ["lab.example.org"]}
    for made, answered in (
        (settings(site=domain), True),
        (settings(), False),
        (settings(site=domain, listen={"tls": False}), False),
    ):
        assert build_site(made, site_route(made), UPSTREAM).challenges == answered
