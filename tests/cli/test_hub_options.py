"""The command line of ``labgate hub``."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy import __version__
from proxy.cli.arguments import parse_arguments
from proxy.cli.hub import WITHOUT_EFFECT, hub_options
from proxy.errors import UsageError
from proxy.hub.options import Endpoint, HubOptions, TlsFiles
from proxy.rules.site import WebOrigin

LOOPBACK = ("127.0.0.1", "::1")
ALL = ("0.0.0.0", "::")


def options(*flags: str, token: str = "t", **environment: str) -> HubOptions:
    variables = {"CONFIGPROXY_AUTH_TOKEN": token, **environment}
    return hub_options(parse_arguments(["hub", *flags]), variables)


def test_the_defaults_are_configurable_http_proxys() -> None:
    given = options()
    assert given.public == Endpoint(ALL, 8000, optional=ALL)
    assert given.api == Endpoint(LOOPBACK, 8001, optional=LOOPBACK)
    assert given.metrics is None
    assert given.keep_alive_timeout_ms == 5000
    assert given.response_seconds == 0
    assert given.warnings == ()


def test_what_a_hub_passes() -> None:
    given = options(
        *("--ip", "", "--port", "9000", "--api-ip", "127.0.0.1", "--api-port", "9101"),
        *("--error-target", "http://127.0.0.1:8081/hub/error", "--log-level", "warn"),
        *("--host-routing", "--ssl-key", "/key", "--ssl-cert", "/cert"),
        *("--api-ssl-key", "/k", "--api-ssl-cert", "/c", "--api-ssl-ca", "/ca"),
        *("--api-ssl-request-cert", "--api-ssl-reject-unauthorized"),
        *("--client-ssl-key", "/ck", "--client-ssl-cert", "/cc", "--client-ssl-ca", "/cca"),
        *("--client-ssl-request-cert", "--client-ssl-reject-unauthorized"),
        CONFIGPROXY_SSL_KEY_PASSPHRASE="secret",
    )
    assert given.public == Endpoint(ALL, 9000, optional=ALL)
    assert given.api == Endpoint(("127.0.0.1",), 9101)
    assert given.tls == TlsFiles(Path("/cert"), Path("/key"), passphrase="secret")
    assert given.api_tls == TlsFiles(Path("/c"), Path("/k"), Path("/ca"), "", True)
    assert (given.client_ca, given.client_cert) == (Path("/cca"), Path("/cc"))
    assert given.log_level == "warning"
    assert given.warnings == ()


def test_sockets_and_metrics() -> None:
    given = options("--socket", "/s", "--api-socket", "/a", "--metrics-socket", "/m")
    sockets = [given.public.socket, given.api.socket, given.metrics and given.metrics.socket]
    assert sockets == [Path("/s"), Path("/a"), Path("/m")]
    assert options("--metrics-port", "9").metrics == Endpoint(ALL, 9, optional=ALL)


def test_without_a_token_the_api_is_for_this_machine_alone() -> None:
    given = options("--api-ip", "0.0.0.0", token="")
    assert given.api == Endpoint(LOOPBACK, 8001, optional=("::1",))
    assert "CONFIGPROXY_AUTH_TOKEN" in given.warnings[0]
    assert options("--api-ip", "0.0.0.0").api == Endpoint(("0.0.0.0",), 8001)
    assert options("--api-ip", "::1", token="").warnings == ()


@pytest.mark.parametrize(
    "flag",
    [
        "--ssl-protocol=x",
        "--ssl-ciphers=x",
        "--ssl-allow-rc4",
        "--ssl-dhparam=x",
        "--storage-backend=x",
    ],
)
def test_what_has_no_effect_is_accepted_and_says_why(flag: str) -> None:
    (warning,) = options(flag).warnings
    assert warning.startswith(flag.partition("=")[0])
    assert warning in WITHOUT_EFFECT.values()


def test_custom_headers_and_timeouts() -> None:
    given = options("--custom-header", " A: b:c ", "--timeout", "3000", "--proxy-timeout", "2000")
    assert given.custom_headers == ((b"A", b"b:c"),)
    assert given.response_seconds == 2.0


def test_what_0_means() -> None:
    given = options("--keep-alive-timeout", "0", "--api-port", "0", "--port", "0")
    assert given.keep_alive_timeout_ms == 5000
    assert (given.public.port, given.api.port) == (8000, 8001)


@pytest.mark.parametrize("level", ["info", "INFO", "Info"])
def test_levels_in_any_case(level: str) -> None:
    assert options("--log-level", level).log_level == "info"


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options(flag)
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"labgate {__version__}\n"


def test_certificates_that_are_asked_for_are_required() -> None:
    """Or who comes from configurable-http-proxy with that flag alone would let in everybody."""
    given = options("--ssl-cert", "/c", "--ssl-key", "/k", "--ssl-request-cert").tls
    assert given is not None
    assert given.require_cert


def test_the_public_origin() -> None:
    assert options("--public-origin", "https://Hub.example.org/").public_origin == WebOrigin(
        "https", "hub.example.org", 443
    )
    given = options("--public-origin", "http://hub.example.org:8000").public_origin
    assert given == WebOrigin("http", "hub.example.org", 8000)


def test_the_format_of_the_log_is_the_images_or_the_flags() -> None:
    assert options().log_format == "text"
    assert options(LABGATE_LOG__FORMAT="json").log_format == "json"
    assert options("--log-format", "text", LABGATE_LOG__FORMAT="json").log_format == "text"
    with pytest.raises(UsageError, match="LABGATE_LOG__FORMAT"):
        options(LABGATE_LOG__FORMAT="xml")


WRONG = [
    (["--socket", "/s", "--port", "1"], "exclude each other"),
    (["--api-socket", "/s", "--api-ip", "x"], "exclude each other"),
    (["--error-target", "http://h", "--error-path", "/e"], "exclude each other"),
    (["--redirect-port", "80"], "--ssl-cert"),
    (["--ssl-key", "/k"], "--ssl-cert"),
    (["--api-ssl-key", "/k"], "--api-ssl-cert"),
    (["--workers", "0"], "from 1 to 64"),
    (["--custom-header", "no colon"], "NAME:VALUE"),
    (["--custom-header", "a: \u2603"], "characters"),
    (["--public-origin", "hub.example.org"], "https://"),
    (["--public-origin", "https://a b"], "--public-origin"),
    (["--port", "70000"], "no port"),
    (["--timeout", "-1"], "milliseconds"),
    (["--port", "9000", "--api-port", "9000"], "--port and --api-port are both 9000"),
    (["--metrics-port", "8001"], "--api-port and --metrics-port are both 8001"),
    (
        ["--ip", "::", "--port", "9000", "--metrics-ip", "::1", "--metrics-port", "9000"],
        "--port and --metrics-port",
    ),
    (
        ["--ssl-cert", "/c", "--port", "443", "--redirect-port", "443"],
        "--port and --redirect-port are both 443",
    ),
    (["--socket", "/s", "--api-socket", "/s"], "--socket and --api-socket are both /s"),
]


@pytest.mark.parametrize(("flags", "reason"), WRONG)
def test_what_cannot_be_is_refused(flags: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        options(*flags)


def test_an_unknown_flag_is_an_error_with_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options("--default-traget", "http://h")
    assert ended.value.code == 2
    assert "--default-target" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["--ip", "127.0.0.1", "--port", "9", "--api-ip", "127.0.0.2", "--api-port", "9"],
        ["--ip", "0.0.0.0", "--port", "9", "--api-ip", "::1", "--api-port", "9"],
        ["--api-port", "0", "--metrics-port", "0"],
    ],
)
def test_places_that_are_not_one(flags: list[str]) -> None:
    options(*flags)
