"""TLS on every side of a hub's proxy: clients, the API, targets; certificates that are replaced."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from proxy.errors import StartError
from proxy.hub.api_tls import ApiTls
from proxy.hub.options import TlsFiles
from tests.certificates import AUTHORITY, pair
from tests.e2e.programs import until
from tests.hub.running import TOKEN, ProxyThread, echo_target, in_thread, unused_port


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


def trusting(client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if client is not None:
        context.load_cert_chain(*client)
    return context


def https(port: int, path: str, context: ssl.SSLContext, token: str = "") -> tuple[int, bytes]:
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    try:
        connection.request("GET", path, headers={"Authorization": f"token {token}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def serial(port: int) -> int:
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        trusting().wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        shown = secured.getpeercert()
        assert shown is not None
        return int(str(shown["serialNumber"]), 16)


@contextmanager
def api_over_tls(folder: Path, *flags: str) -> Iterator[ProxyThread]:
    cert, key = pair(folder / "api", "localhost", "127.0.0.1")
    with in_thread("--api-ssl-cert", str(cert), "--api-ssl-key", str(key), *flags) as proxy:
        yield proxy


def test_clients_over_tls_and_the_redirect_to_it(tmp_path: Path) -> None:
    cert, key = pair(tmp_path / "public", "localhost")
    plain = unused_port()
    flags = ["--ssl-cert", str(cert), "--ssl-key", str(key), "--redirect-port", str(plain)]
    with echo_target() as target, in_thread(*flags, "--default-target", target) as proxy:
        status, content = https(proxy.port, "/x", trusting())
        assert status == 200
        assert b'"x-forwarded-proto": "https"' in content
        connection = http.client.HTTPConnection("127.0.0.1", plain, timeout=30)
        connection.request("GET", "/x?y", headers={"Host": "hub.example.org"})
        response = connection.getresponse()
        assert response.status == 301
        assert response.headers["Location"] == f"https://hub.example.org:{proxy.port}/x?y"
        connection.close()
        before = serial(proxy.port)
        pair(tmp_path / "public", "localhost")
        until(lambda: serial(proxy.port) != before, "the new certificate is not served")


def test_a_key_with_a_passphrase(tmp_path: Path) -> None:
    cert, key = pair(tmp_path / "public", "localhost")
    private = load_pem_private_key(key.read_bytes(), None)
    protected = private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    key.write_bytes(protected)
    flags = ["--ssl-cert", str(cert), "--ssl-key", str(key)]
    with pytest.raises(StartError, match="passphrase"), in_thread(*flags):
        pass
    variables = {"CONFIGPROXY_SSL_KEY_PASSPHRASE": "secret"}
    with echo_target() as target:
        proxy = ProxyThread(*flags, "--default-target", target, environment=variables)
        proxy.start()
        try:
            assert https(proxy.port, "/x", trusting())[0] == 200
        finally:
            proxy.end()


def test_clients_may_have_to_show_a_certificate(tmp_path: Path, ca: Path) -> None:
    cert, key = pair(tmp_path / "public", "localhost")
    client = pair(tmp_path / "client", "ada")
    flags = ["--ssl-cert", str(cert), "--ssl-key", str(key), "--ssl-ca", str(ca)]
    wanted = [*flags, "--ssl-request-cert", "--ssl-reject-unauthorized"]
    with in_thread(*wanted) as proxy:
        assert https(proxy.port, "/_chp_healthz", trusting(client))[0] == 200
        with pytest.raises(OSError, match=r"."):
            https(proxy.port, "/_chp_healthz", trusting())
        strangers = trustme.CA().issue_cert("ada")
        context = trusting()
        strangers.configure_cert(context)
        with pytest.raises(OSError, match=r"."):
            https(proxy.port, "/_chp_healthz", context)
    with in_thread(*flags, "--ssl-request-cert") as proxy:
        assert https(proxy.port, "/_chp_healthz", trusting())[0] == 200


def test_the_api_over_tls_with_client_certificates(tmp_path: Path, ca: Path) -> None:
    hub = pair(tmp_path / "hub", "hub")
    flags = ["--api-ssl-ca", str(ca), "--api-ssl-request-cert", "--api-ssl-reject-unauthorized"]
    with api_over_tls(tmp_path, *flags) as proxy:
        assert https(proxy.api_port, "/api/routes", trusting(hub), TOKEN) == (200, b"{}")
        assert https(proxy.api_port, "/api/routes", trusting(hub), "wrong")[0] == 403
        with pytest.raises(OSError, match=r"."):
            https(proxy.api_port, "/api/routes", trusting(), TOKEN)


def test_the_apis_certificate_is_replaced(tmp_path: Path) -> None:
    with api_over_tls(tmp_path) as proxy:
        before = serial(proxy.api_port)
        pair(tmp_path / "api", "localhost", "127.0.0.1")
        until(lambda: serial(proxy.api_port) != before, "the new certificate is not served")


def test_half_a_pair_leaves_the_one_before(tmp_path: Path) -> None:
    cert, key = pair(tmp_path / "api", "localhost")
    tls = ApiTls(TlsFiles(cert, key))
    assert not tls.reload()
    cert.write_bytes(b"half")
    with pytest.raises(OSError, match=r"."):
        tls.reload()
    pair(tmp_path / "api", "localhost")
    assert tls.reload()


def test_files_of_the_api_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--api-ssl-cert .*missing"):
        ApiTls(TlsFiles(tmp_path / "missing", tmp_path / "missing"))


def test_targets_over_tls_with_a_client_certificate(tmp_path: Path, ca: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(tmp_path / "target", "localhost", "127.0.0.1"))
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    cert, key = pair(tmp_path / "proxy", "proxy-client")
    ours = ["--client-ssl-cert", str(cert), "--client-ssl-key", str(key)]
    trust = ["--client-ssl-ca", str(ca)]
    with echo_target(context=context) as target:
        assert target.startswith("https://")
        for flags, status in (([*ours, *trust], 200), ([*ours, "--insecure"], 200), (trust, 503)):
            with in_thread(*flags) as proxy:
                proxy.api("POST", "/x", {"target": target})
                assert proxy.get("/x").status == status, flags
        with in_thread(*ours, *trust, "--error-target", f"{target}/hub/error") as proxy:
            assert b"/hub/error/404" in proxy.get("/x").content
