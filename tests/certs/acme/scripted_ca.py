"""A CA whose responses a test scripts: Pebble's directory with some resources replaced.

For what Debian's Pebble cannot do: ARI, rate limits, a CA with another clock or a slow one.
"""

from __future__ import annotations

import base64
import json
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from typing import Any

import trustme
from cryptography import x509

from tests.certificates import certificate_for
from tests.pebble import Pebble

URN = "urn:ietf:params:acme:error:"


@dataclass
class Response:
    """What the CA answers."""

    status: int
    content: Any
    fields: Mapping[str, str] = field(default_factory=dict)


def problem(status: int, code: str, detail: str, **fields: str) -> Response:
    content = {"type": URN + code, "detail": detail}
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Response(status, content, {"Content-Type": "application/problem+json", **named})


@dataclass
class ScriptedCa:
    """The running CA.

    Attributes:
        resources: By the directory's name for it; called with the request's payload.
        requests: Resource and payload of every request but those for the directory.
        skew_seconds: How far this CA's clock is ahead.
    """

    port: int
    ca_file: Path
    pebble: Pebble | None
    resources: dict[str, Callable[[Any], Response]] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    skew_seconds: float = 0.0

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def directory(self) -> str:
        return f"{self.address}/dir"

    def respond(self, path: str, payload: Any) -> Response:
        name = path.strip("/").partition("/")[0]
        if name == "dir":
            known: dict[str, Any] = {}
            if self.pebble is not None:
                trust = ssl.create_default_context(cafile=self.pebble.ca_file)
                with urllib.request.urlopen(self.pebble.directory, context=trust) as opened:
                    known = json.load(opened)
            return Response(
                200, known | {name: f"{self.address}/{name}" for name in self.resources}
            )
        self.requests.append((path.strip("/"), payload))
        return self.resources[name](payload)


@contextmanager
def scripted_ca(folder: Path, pebble: Pebble | None) -> Iterator[ScriptedCa]:
    """Run it; ``ca_file`` is for it and for Pebble behind it."""
    authority = trustme.CA()
    bundle = folder / "scripted-ca.pem"
    behind = pebble.ca_file.read_bytes() if pebble is not None else b""
    bundle.write_bytes(authority.cert_pem.bytes() + behind)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send(running.respond(self.path, None))

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = content["payload"]
            payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            self.send(running.respond(self.path, json.loads(payload) if payload else None))

        def send(self, response: Response) -> None:
            text = isinstance(response.content, str)
            content = (response.content if text else json.dumps(response.content)).encode()
            self.send_response_only(response.status)
            self.send_header("Date", formatdate(time() + running.skew_seconds, usegmt=True))
            for name, value in (
                {"Content-Type": "application/json"} | dict(response.fields)
            ).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    running = ScriptedCa(server.server_port, bundle, pebble)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


NONCE = {"Replay-Nonce": "bm9uY2U"}
PEM = {"Content-Type": "application/pem-certificate-chain"}


def located_at(location: str) -> dict[str, str]:
    return NONCE | {"Location": location}


class SlowCa:
    """Needs no proof, and processes an order for a number of polls.

    Attributes:
        polls: How many are left before the order is valid.
    """

    def __init__(self, ca: ScriptedCa, polls: int) -> None:
        self.ca, self.polls = ca, polls
        self.chain = ""
        here = ca.address
        ca.resources |= {
            "newNonce": lambda _: Response(200, "", NONCE),
            "newAccount": lambda _: Response(
                201, {"status": "valid"}, located_at(f"{here}/account")
            ),
            "newOrder": lambda _: Response(201, self.order("ready"), located_at(f"{here}/order")),
            "order": self.poll,
            "finalize": self.finalize,
            "certificate": lambda _: Response(200, self.chain, NONCE | PEM),
        }

    def order(self, status: str) -> dict[str, Any]:
        here = self.ca.address
        order = {"status": status, "authorizations": [], "finalize": f"{here}/finalize"}
        return order | ({"certificate": f"{here}/certificate"} if status == "valid" else {})

    def poll(self, _: Any) -> Response:
        self.polls -= 1
        status = "processing" if self.polls >= 0 else "valid"
        return Response(200, self.order(status), NONCE | {"Retry-After": "1"})

    def finalize(self, payload: Any) -> Response:
        der = base64.urlsafe_b64decode(payload["csr"] + "==")
        request = x509.load_der_x509_csr(der)
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.chain = certificate_for(request.public_key(), names, days=6).decode("ascii")
        return Response(200, self.order("processing"), NONCE | {"Retry-After": "1"})
