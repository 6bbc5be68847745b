"""``[[routes]]``: what is wrong is told with its place in the file, and what follows from it.

Also tests route_settings.py and route_conflicts.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proxy.config.load import load
from proxy.config.routes import ELSEWHERE, SITE, route_configurations, served_routes
from proxy.config.settings import Settings
from proxy.config.valid_part import valid_part
from proxy.errors import UsageError

SITE_TOML = '[site]\ndomains = ["lab.example.org"]\n'
ADA = '[[routes]]\npath = "/ada"\nupstream = "http://127.0.0.1:8901"\n'
BOB = '[[routes]]\ndomains = ["bob.example.org"]\nupstream = "unix:/run/bob.sock"\n'


def settings(**sections: Any) -> Settings:
    return Settings.model_validate(sections)


def said_of(folder: Path, toml: str, **environment: str) -> str:
    file = folder / "labgate.toml"
    file.write_text(toml)
    with pytest.raises(UsageError) as raised:
        load({}, environment, file)
    return str(raised.value).replace(f"{file}: ", "")


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        pytest.param(
            ADA + '[[routes]]\npath = "/ada/"\nupstream = "http://127.0.0.1:8902"\n',
            "[[routes]] #2: lab.example.org/ada/ is the place of [[routes]] #1 already",
            id="the same host and path",
        ),
        pytest.param(
            '[upstream]\nurl = "http://127.0.0.1:8888"\n'
            '[[routes]]\nupstream = "http://127.0.0.1:8901"\n',
            "[[routes]] #1: lab.example.org/ is the place of upstream.url already",
            id="the place of the site",
        ),
        pytest.param(
            ADA + 'htpasswd = "/etc/ada"\n' + ADA.replace("/ada", "/eve"),
            "[[routes]] #2 htpasswd: none, and [[routes]] #1 has /etc/ada on the same host "
            "lab.example.org. A browser has one session for a host",
            id="two logins on one host",
        ),
        pytest.param(
            '[upstream]\nurl = "http://127.0.0.1:8888"\n' + ADA + 'htpasswd = "/etc/ada"\n',
            "[[routes]] #1 htpasswd: /etc/ada, and upstream.url has none on the same host",
            id="another login than the site",
        ),
        pytest.param(
            '[[routes]]\npath = "/ada"\nupstream = "http://127.0.0.1:8901/bob"\n',
            "[[routes]] #1: upstream: http://127.0.0.1:8901/bob says that the base_url is /bob/, "
            "but requests come with the path /ada/: start that Jupyter with "
            "--ServerApp.base_url=/ada/",
            id="another base_url",
        ),
        pytest.param(
            '[[routes]]\ndomains = "a.example.org"\n',
            '[[routes]] #1: upstream is missing; write for example "http://127.0.0.1:8888".',
            id="no upstream",
        ),
        pytest.param(
            BOB + "strip_prefix = true\n",
            "[[routes]] #1: strip_prefix = true, and path is /: there is no prefix to strip",
            id="nothing to strip",
        ),
        pytest.param(
            '[[routes]]\npath = "../x"\nupstream = "unix:/run/x"\n',
            "[[routes]] #1 path: '../x' is not a path of whole segments",
            id="a path with dots",
        ),
        pytest.param(
            '[[routes]]\npath = "/.labgate/x"\nupstream = "unix:/run/x"\n',
            "[[routes]] #1 path: '/.labgate/x' is for paths of labgate's own",
            id="labgate's own path",
        ),
        pytest.param(
            '[[routes]]\ndomains = "*.example.org"\nupstream = "unix:/run/x"\n',
            "[[routes]] #1 domains: '*.example.org': wildcards are not supported",
            id="a wildcard",
        ),
        pytest.param(
            '[acme]\nemail = "me@example.org"\n'
            '[[routes]]\ndomains = "ada.internal"\nupstream = "unix:/run/x"\n',
            "[[routes]] #1 domains: ada.internal is no name of the internet",
            id="a name that Let's Encrypt does not certify",
        ),
        pytest.param(
            '[[routes]]\ndomains = "ada.example.org"\nupstream = "http://localhost:443"\n'
            '[listen]\nbind = "127.0.0.1"\nhttps_port = 443\n',
            "[[routes]] #1 upstream: http://localhost:443 is where labgate itself listens",
            id="labgate itself",
        ),
        pytest.param(
            BOB + "upstrem = 1\n",
            "[[routes]] #1 upstrem: unknown key; did you mean upstream?",
            id="an unknown key",
        ),
        pytest.param(
            '[[routes]]\nupstream = { url = "https://127.0.0.1:1", verfy = false }\n',
            "[[routes]] #1 upstream.verfy: unknown key; did you mean verify?",
            id="an unknown key of the upstream",
        ),
        pytest.param(
            "[[routes]]\nupstream = 3\n",
            "[[routes]] #1 upstream: 3 is neither an address nor a table; write for example "
            '"http://127.0.0.1:8888".',
            id="no address",
        ),
        pytest.param(
            '[[routes]]\nupstream = "ftp://x"\n',
            "[[routes]] #1 upstream.url: upstream 'ftp://x': the scheme must be",
            id="another scheme",
        ),
        pytest.param(
            BOB + "embed_in = 3\n",
            '[[routes]] #1 embed_in: 3 is not a list; write for example ["https://portal',
            id="no list",
        ),
        pytest.param(
            '[routes]\npath = "/x"\n',
            "routes: routes are tables; write [[routes]], with two brackets",
            id="one bracket",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, toml: str, said: str) -> None:
    assert said in said_of(tmp_path, SITE_TOML + toml)


@pytest.mark.parametrize("name", ["LABGATE_ROUTES", "LABGATE_ROUTES__0__UPSTREAM"])
def test_variables_cannot_name_routes(tmp_path: Path, name: str) -> None:
    said = said_of(tmp_path, SITE_TOML + ADA, **{name: "x"})
    assert said == (
        "the environment: LABGATE_ROUTES: routes are written in the file, as tables [[routes]]; "
        "variables cannot name them."
    )


def test_the_check_looks_at_the_rest_of_a_file_whose_routes_are_wrong(tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    file.write_text(SITE_TOML + BOB + "upstrem = 1\n" + ADA + "pat = 2\n")
    read = valid_part({}, {}, file, {})
    assert [problem.partition("[[")[2] for problem in read.problems] == [
        "routes]] #1 upstrem: unknown key; did you mean upstream?",
        "routes]] #2 pat: unknown key; did you mean path?",
    ]
    assert read.settings is not None
    assert read.settings.routes == ()
    assert read.settings.site.domains == ("lab.example.org",)


def test_without_routes_there_is_the_site_alone() -> None:
    (alone,) = route_configurations(settings(access={"htpasswd": "/etc/users"}))
    assert (alone.key, alone.path, alone.htpasswd) == (SITE, "/", Path("/etc/users"))


def test_dot_segments_are_refused_at_hosts_with_more_than_one_place() -> None:
    made = settings(
        site={"domains": ["lab.example.org", "www.example.org"]},
        upstream={"url": "http://127.0.0.1:8888"},
        routes=[
            {"path": "/ada", "domains": "lab.example.org", "upstream": "unix:/ada"},
            {"domains": "bob.example.org", "upstream": "unix:/bob"},
            {
                "path": "/app",
                "domains": "app.example.org",
                "strip_prefix": True,
                "upstream": "unix:/app",
            },
        ],
    )
    refusing = [one.name for one in route_configurations(made) if one.refuse_dot_segments]
    assert refusing == ["lab.example.org/", "lab.example.org/ada/", "app.example.org/app/"]
    (alone,) = route_configurations(settings())
    assert not alone.refuse_dot_segments


def test_a_route_is_opened_where_its_jupyter_has_its_pages() -> None:
    base = "http://127.0.0.1:8902/user/bob"
    made = settings(
        site={"domains": "lab.example.org"},
        routes=[
            {"domains": "bob.example.org", "upstream": base},
            {"domains": "eve.example.org", "upstream": "unix:/eve"},
            {"path": "/ada", "upstream": "http://127.0.0.1:8901/ada"},
            {"path": "/app", "strip_prefix": True, "upstream": base},
        ],
    )
    assert [one.public_address for one in served_routes(made)] == [
        "https://bob.example.org/user/bob/",
        "https://eve.example.org/",
        "https://lab.example.org/ada/",
        "https://lab.example.org/app/",
    ]


def test_what_a_route_leaves_out_is_that_of_the_sections(tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    file.write_text(
        SITE_TOML
        + "embed_in = ['https://portal.example.org']\nwebsocket_without_origin = true\n"
        + "[access]\nhtpasswd = '/etc/all'\nallow = '10.0.0.0/8'\n"
        + "[upstream]\nidle_connections = 3\nca = '/etc/ca.pem'\n"
        + ADA
        + "[[routes]]\ndomains = 'bob.example.org'\nhtpasswd = ''\nallow = []\n"
        + "upstream = { url = 'https://10.0.0.9:8888', cert = '/etc/bob.pem' }\n"
    )
    ada, bob, root, elsewhere = route_configurations(load({}, {}, file))
    assert ada.name == "lab.example.org/ada/"
    assert str(ada.htpasswd) == "/etc/all"
    assert [str(network) for network in ada.allow] == ["10.0.0.0/8"]
    assert ada.upstream is not None
    assert ada.upstream.idle_connections == 3
    assert ada.address is not None
    assert ada.address.base_path == "/ada/"
    # What loosens a check is nobody's but its own.
    assert (ada.embed_in, ada.websocket_without_origin) == ((), False)
    assert (bob.htpasswd, bob.allow) == (None, ())
    assert bob.address is not None
    assert bob.address.tls is not None
    assert (bob.address.tls.ca, bob.address.tls.cert) == ("/etc/ca.pem", "/etc/bob.pem")
    # At the root of the site only labgate responds, with the login of what is below it.
    assert (root.name, root.upstream, str(root.htpasswd)) == ("lab.example.org/", None, "/etc/all")
    assert (elsewhere.key, elsewhere.upstream) == (ELSEWHERE, None)
    assert [origin.host for origin in elsewhere.origins] == ["lab.example.org", "bob.example.org"]


@pytest.mark.parametrize(
    ("sections", "domains", "has_jupyter"),
    [
        ({}, ("localhost",), True),
        (
            {"routes": [{"domains": "a.example.org", "upstream": "unix:/a"}]},
            ("a.example.org",),
            False,
        ),
        ({"routes": [{"path": "/a", "upstream": "unix:/a"}]}, ("localhost",), False),
        (
            {
                "site": {"domains": "lab.example.org"},
                "routes": [{"domains": "a.example.org", "upstream": "unix:/a"}],
            },
            ("lab.example.org", "a.example.org"),
            False,
        ),
        (
            {
                "upstream": {"url": "http://127.0.0.1:8888"},
                "routes": [{"domains": "a.localhost", "upstream": "unix:/a"}],
            },
            ("localhost", "a.localhost"),
            True,
        ),
        (
            {
                "jupyter": {"launch": "auto"},
                "routes": [{"domains": "a.localhost", "upstream": "unix:/a"}],
            },
            ("localhost", "a.localhost"),
            True,
        ),
    ],
)
def test_the_public_names_and_whether_the_site_has_a_jupyter(
    sections: dict[str, Any], domains: tuple[str, ...], has_jupyter: bool
) -> None:
    made = settings(**sections)
    assert (made.domains, made.site_has_jupyter) == (domains, has_jupyter)


def test_where_every_jupyter_has_a_public_name_the_ports_are_those_of_public_names() -> None:
    made = settings(routes=[{"domains": "a.example.org", "upstream": "unix:/a"}])
    assert (made.https_port, made.http_port, made.local) == (443, 80, False)
