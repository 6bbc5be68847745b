"""TLS on every side, asked of labgate and of configurable-http-proxy (``test_contract``)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import pair
from tests.e2e.programs import until
from tests.hub.differences import expected
from tests.hub.over_tls import (
    authority,
    handshake,
    https,
    lets_in,
    protect,
    serial,
    stranger,
    trusting,
)
from tests.hub.raw import status_of
from tests.hub.running import TOKEN, RunningProxy, ask, echo_target, running, unused_port

HEALTH = "/_chp_healthz"
ROUTES = "/api/routes"


@contextmanager
def over_tls(
    command: Sequence[str], folder: Path, group: str, *flags: str, passphrase: str = ""
) -> Iterator[RunningProxy]:
    """A proxy that speaks TLS with clients (``ssl``) or with the Hub (``api-ssl``)."""
    cert, key = pair(folder / group, "localhost")
    environment = {}
    if passphrase:
        protect(key, passphrase.encode())
        variable = f"CONFIGPROXY_{group.upper().replace('-', '_')}_KEY_PASSPHRASE"
        environment = {variable: passphrase}
    ours = (f"--{group}-cert", str(cert), f"--{group}-key", str(key))
    with running(command, *ours, *flags, environment=environment) as proxy:
        yield proxy


def port_of(proxy: RunningProxy, group: str) -> int:
    return proxy.port if group == "ssl" else proxy.api_port


@pytest.mark.parametrize("passphrase", ["", "secret"])
@pytest.mark.parametrize(("group", "path"), [("ssl", HEALTH), ("api-ssl", ROUTES)])
def test_a_certificate_and_its_key(
    command: Sequence[str], tmp_path: Path, group: str, path: str, passphrase: str
) -> None:
    with over_tls(command, tmp_path, group, passphrase=passphrase) as proxy:
        assert https(port_of(proxy, group), path, trusting(), TOKEN)[0] == 200


def test_a_target_hears_of_tls(command: Sequence[str], tmp_path: Path) -> None:
    with (
        echo_target() as target,
        over_tls(command, tmp_path, "ssl", "--default-target", target) as proxy,
    ):
        content = https(proxy.port, "/x", trusting())[1]
        assert b'"x-forwarded-proto": "https"' in content


@pytest.mark.parametrize("rejects", [False, True], ids=["asks", "rejects"])
@pytest.mark.parametrize(("group", "path"), [("ssl", HEALTH), ("api-ssl", ROUTES)])
def test_clients_show_a_certificate(
    command: Sequence[str], tmp_path: Path, group: str, path: str, rejects: bool
) -> None:
    """Also where it is only asked for: who shows none is not let in."""
    client = pair(tmp_path / "client", "ada")
    flags = [f"--{group}-ca", str(authority(tmp_path)), f"--{group}-request-cert"]
    flags += [f"--{group}-reject-unauthorized"] if rejects else []
    with over_tls(command, tmp_path, group, *flags) as proxy:
        port = port_of(proxy, group)
        assert lets_in(port, path, trusting(client), TOKEN)
        assert not lets_in(port, path, trusting(), TOKEN)
        assert not lets_in(port, path, stranger(), TOKEN)
        if group == "api-ssl":
            assert https(port, path, trusting(client), "wrong")[0] == 403


def test_nobody_is_asked_for_a_certificate_by_rejecting_alone(
    command: Sequence[str], tmp_path: Path
) -> None:
    flags = ["--ssl-ca", str(authority(tmp_path)), "--ssl-reject-unauthorized"]
    with over_tls(command, tmp_path, "ssl", *flags) as proxy:
        assert lets_in(proxy.port, HEALTH, trusting())


def served_by_target(folder: Path, *names: str) -> ssl.SSLContext:
    """What a target serves with that wants a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(folder / "target", *names))
    context.load_verify_locations(authority(folder))
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_targets_over_tls_want_a_certificate(command: Sequence[str], tmp_path: Path) -> None:
    context = served_by_target(tmp_path, "localhost", "127.0.0.1")
    cert, key = pair(tmp_path / "proxy", "proxy-client")
    ours = ["--client-ssl-cert", str(cert), "--client-ssl-key", str(key)]
    trust = ["--client-ssl-ca", str(authority(tmp_path))]
    with echo_target(context=context) as target:
        for flags, status in (([*ours, *trust], 200), (trust, 503), (ours, 503), ([], 503)):
            with running(command, *flags) as proxy:
                proxy.api("POST", "/x", {"target": target})
                assert proxy.get("/x").status == status, flags


def test_an_error_target_over_tls(command: Sequence[str], tmp_path: Path) -> None:
    context = served_by_target(tmp_path, "localhost", "127.0.0.1")
    cert, key = pair(tmp_path / "proxy", "proxy-client")
    flags = ["--client-ssl-cert", str(cert), "--client-ssl-key", str(key)]
    flags += ["--client-ssl-ca", str(authority(tmp_path))]
    with (
        echo_target(context=context) as target,
        running(command, *flags, "--error-target", f"{target}/hub/error") as proxy,
    ):
        assert b"/hub/error/404" in proxy.get("/x").content


def test_the_redirect_to_tls(command: Sequence[str], tmp_path: Path) -> None:
    plain = unused_port()
    with over_tls(command, tmp_path, "ssl", "--redirect-port", str(plain)) as proxy:
        reply = ask(plain, "GET", "/x?y", fields={"Host": "hub.example.org"})
        assert reply.status == 301
        assert reply.fields["location"] == f"https://hub.example.org:{proxy.port}/x?y"
        assert status_of(plain, b"GET /x HTTP/1.0\r\n\r\n") == 400
    to = ["--redirect-port", str(plain), "--redirect-to", "8443"]
    with over_tls(command, tmp_path, "ssl", *to):
        reply = ask(plain, "GET", "/x", fields={"Host": "hub.example.org:80"})
        assert reply.fields["location"] == "https://hub.example.org:8443/x"


# Differences


def test_other_redirects(command: Sequence[str], kind: str, tmp_path: Path) -> None:
    plain = unused_port()
    to = ["--redirect-port", str(plain), "--redirect-to", "443"]
    with over_tls(command, tmp_path, "ssl", *to):
        reply = ask(plain, "POST", "/x", "content", {"Host": "hub.example.org"})
        assert reply.status == expected(kind, "redirected post")
        assert reply.fields["location"] == expected(kind, "redirect to 443")
        answers = status_of(plain, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "127.0.0.2") == 301
        assert answers is expected(kind, "redirect elsewhere")


def test_insecure(command: Sequence[str], kind: str, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(tmp_path / "target", "localhost", "127.0.0.1"))
    with echo_target(context=context) as target, running(command, "--insecure") as proxy:
        proxy.api("POST", "/x", {"target": target})
        assert proxy.get("/x").status == expected(kind, "insecure")


def test_whose_name_a_targets_certificate_has(
    command: Sequence[str], kind: str, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(tmp_path / "target", "127.0.0.1"))
    trust = ["--client-ssl-ca", str(authority(tmp_path))]
    with echo_target(context=context) as target, running(command, *trust) as proxy:
        proxy.api("POST", "/x", {"target": target})
        status = proxy.get("/x", Host="hub.example.org").status
        assert status == expected(kind, "name of a target")


def test_protocols_and_ciphers(command: Sequence[str], kind: str, tmp_path: Path) -> None:
    with over_tls(command, tmp_path, "ssl", "--ssl-protocol", "TLSv1_2") as proxy:
        assert handshake(proxy.port, trusting())[1] == expected(kind, "ssl protocol")
    older = trusting()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    older.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384")
    ciphers = ["--ssl-ciphers", "ECDHE-ECDSA-AES256-SHA384"]
    with over_tls(command, tmp_path, "ssl", *ciphers) as proxy:
        assert handshake(proxy.port, older)[2] == expected(kind, "ssl ciphers")


@pytest.mark.parametrize("group", ["ssl", "api-ssl"])
def test_a_certificate_is_replaced(
    command: Sequence[str], kind: str, tmp_path: Path, group: str
) -> None:
    with over_tls(command, tmp_path, group) as proxy:
        port = port_of(proxy, group)
        before = serial(port)
        pair(tmp_path / group, "localhost")
        if expected(kind, "new certificate"):
            until(lambda: serial(port) != before, "the new certificate is not served")
        else:
            assert {serial(port) for _ in range(20)} == {before}
