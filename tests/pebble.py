"""Real Pebble (``pebble -strict``) with pebble-challtestsrv as its DNS, on free loopback ports."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import trustme

from tests.conftest import require
from tests.e2e.programs import Program, free_port


class Dns(Program):
    """challtestsrv's DNS: every name is 127.0.0.1 unless told otherwise."""

    name = "challtestsrv"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        self.management = free_port()

    def command(self) -> list[str]:
        off = [f"-{kind}=" for kind in ("http01", "https01", "tlsalpn01")]
        dns = [f"-dns01=127.0.0.1:{self.port}", f"-management=127.0.0.1:{self.management}"]
        # No IPv6: what listens there is another test's.
        return ["pebble-challtestsrv", *off, *dns, "-defaultIPv4=127.0.0.1", "-defaultIPv6="]

    def ready(self) -> bool:
        return _listens(self.management)

    def tell(self, path: str, **content: object) -> None:
        """Ask the management interface: ``set-servfail``, ``add-a``, ``add-caa`` …"""
        connection = http.client.HTTPConnection("127.0.0.1", self.management, timeout=10)
        try:
            connection.request("POST", f"/{path}", json.dumps(content))
            answer = connection.getresponse()
            assert answer.status == 200, (path, answer.status, answer.read())
        finally:
            connection.close()


class Pebble(Program):
    """A certificate authority.

    Args:
        folder: For its files.
        dns: Asked about every name.
        http_port: Where it asks for HTTP-01, in place of 80.
        tls_port: Where it asks for TLS-ALPN-01, in place of 443.
        environment: PEBBLE_… to make it harder.
        eab: HMAC keys by key identifier, without which it opens no account.
        validity_seconds: Of its certificates.
    """

    name = "pebble"

    def __init__(
        self,
        folder: Path,
        dns: Dns,
        *,
        http_port: int,
        tls_port: int,
        environment: Mapping[str, str] | None = None,
        eab: Mapping[str, str] | None = None,
        validity_seconds: int = 90 * 86400,
    ) -> None:
        easy = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5", "PEBBLE_AUTHZREUSE": "0"}
        super().__init__(folder, easy | dict(environment or {}))
        self.port, self.management = free_port(), free_port()
        self._dns = dns
        authority = trustme.CA()
        leaf = authority.issue_cert("localhost", "127.0.0.1")
        self.ca_file = folder / "pebble-ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        key, cert = folder / "pebble.key", folder / "pebble.pem"
        leaf.private_key_pem.write_to_path(key)
        leaf.cert_chain_pems[0].write_to_path(cert)
        self._configuration = folder / "pebble.json"
        content = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.management}",
            "certificate": str(cert),
            "privateKey": str(key),
            "httpPort": http_port,
            "tlsPort": tls_port,
            "externalAccountBindingRequired": eab is not None,
            "externalAccountMACKeys": dict(eab or {}),
            "certificateValidityPeriod": validity_seconds,
        }
        self._configuration.write_text(json.dumps({"pebble": content}))
        self.directory = f"https://localhost:{self.port}/dir"
        self.settings = {
            "LABGATE_ACME__DIRECTORY": self.directory,
            "LABGATE_ACME__CA_FILE": str(self.ca_file),
        }
        """labgate's environment for it."""

    def command(self) -> list[str]:
        dns = f"127.0.0.1:{self._dns.port}"
        return ["pebble", "-strict", "-config", str(self._configuration), "-dnsserver", dns]

    def ready(self) -> bool:
        return _listens(self.port) and _listens(self.management)

    @property
    def printed(self) -> str:
        """Everything that it says of what it does."""
        return self.stdout.read_text(errors="replace") + self.log

    def root(self) -> ssl.SSLContext:
        """A client that trusts what Pebble issues; its root is another after every start."""
        return ssl.create_default_context(cadata=self.root_pem())

    def root_pem(self) -> str:
        """The root of what it issues."""
        asked = ssl.create_default_context(cafile=self.ca_file)
        connection = http.client.HTTPSConnection(
            "localhost", self.management, timeout=10, context=asked
        )
        try:
            connection.request("GET", "/roots/0")
            return connection.getresponse().read().decode("ascii")
        finally:
            connection.close()


def require_pebble() -> None:
    """Skip, or fail in CI, where Debian's pebble is not installed."""
    found = shutil.which("pebble") and shutil.which("pebble-challtestsrv")
    require(found, "no Pebble", "apt-get install pebble")


@contextmanager
def pebble(
    folder: Path,
    *,
    http_port: int,
    tls_port: int,
    environment: Mapping[str, str] | None = None,
    eab: Mapping[str, str] | None = None,
    validity_seconds: int = 90 * 86400,
) -> Iterator[tuple[Pebble, Dns]]:
    """A running Pebble and its DNS."""
    require_pebble()
    folder.mkdir(parents=True, exist_ok=True)
    with Dns(folder) as dns:
        authority = Pebble(
            folder,
            dns,
            http_port=http_port,
            tls_port=tls_port,
            environment=environment,
            eab=eab,
            validity_seconds=validity_seconds,
        )
        with authority:
            yield authority, dns


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
