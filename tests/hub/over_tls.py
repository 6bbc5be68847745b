"""Clients that speak TLS with a hub's proxy."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.certificates import AUTHORITY


def authority(folder: Path) -> Path:
    """The file of the authority that issues the tests' certificates."""
    path = folder / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


def trusting(client: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """A client that trusts the authority, and may have a certificate to show."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if client is not None:
        context.load_cert_chain(*client)
    return context


def stranger() -> ssl.SSLContext:
    """A client with a certificate of somebody else's authority."""
    context = trusting()
    trustme.CA().issue_cert("ada").configure_cert(context)
    return context


def https(
    port: int, path: str, context: ssl.SSLContext, token: str = "", method: str = "GET"
) -> tuple[int, bytes]:
    """One request; its status and content."""
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
    with closing(connection):
        connection.request(method, path, headers={"Authorization": f"token {token}"})
        response = connection.getresponse()
        return response.status, response.read()


def lets_in(port: int, path: str, context: ssl.SSLContext, token: str = "") -> bool:
    """Whether a request is answered at all."""
    try:
        return https(port, path, context, token)[0] == 200
    except OSError:
        return False


def handshake(port: int, context: ssl.SSLContext) -> tuple[int, str, str]:
    """The certificate's serial number, the protocol, and the cipher."""
    with (
        socket.create_connection(("127.0.0.1", port), 30) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        shown, cipher = secured.getpeercert(), secured.cipher()
        assert shown is not None
        assert cipher is not None
        return int(str(shown["serialNumber"]), 16), str(secured.version()), cipher[0]


def serial(port: int) -> int:
    """Of the certificate that is shown."""
    return handshake(port, trusting())[0]


def protect(key: Path, passphrase: bytes) -> None:
    """Write a key anew, with a passphrase."""
    private = load_pem_private_key(key.read_bytes(), None)
    protected = BestAvailableEncryption(passphrase)
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protected))
