"""A door in front of Pebble: its directory, with some resources led somewhere else.

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

from tests.pebble import Pebble

URN = "urn:ietf:params:acme:error:"


@dataclass
class Said:
    """What the door answers."""

    status: int
    content: Any
    fields: Mapping[str, str] = field(default_factory=dict)


def problem(status: int, code: str, detail: str, **fields: str) -> Said:
    content = {"type": URN + code, "detail": detail}
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Said(status, content, {"Content-Type": "application/problem+json", **named})


@dataclass
class Front:
    """The running door.

    Attributes:
        resources: By the directory's name for it; called with the request's payload.
        asked: Resource and payload of every request but those for the directory.
        skew_seconds: How far this CA's clock is ahead.
    """

    port: int
    ca_file: Path
    pebble: Pebble | None
    resources: dict[str, Callable[[Any], Said]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    skew_seconds: float = 0.0

    @property
    def address(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def directory(self) -> str:
        return f"{self.address}/dir"

    def answer(self, path: str, payload: Any) -> Said:
        name = path.strip("/").partition("/")[0]
        if name == "dir":
            known: dict[str, Any] = {}
            if self.pebble is not None:
                trust = ssl.create_default_context(cafile=self.pebble.ca_file)
                with urllib.request.urlopen(self.pebble.directory, context=trust) as opened:
                    known = json.load(opened)
            return Said(200, known | {name: f"{self.address}/{name}" for name in self.resources})
        self.asked.append((path.strip("/"), payload))
        return self.resources[name](payload)


@contextmanager
def front(folder: Path, pebble: Pebble | None) -> Iterator[Front]:
    """Run it; ``ca_file`` is for it and for Pebble behind it."""
    authority = trustme.CA()
    bundle = folder / "front-ca.pem"
    behind = pebble.ca_file.read_bytes() if pebble is not None else b""
    bundle.write_bytes(authority.cert_pem.bytes() + behind)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.said(running.answer(self.path, None))

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:
            content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = content["payload"]
            payload = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            self.said(running.answer(self.path, json.loads(payload) if payload else None))

        def said(self, said: Said) -> None:
            text = isinstance(said.content, str)
            content = (said.content if text else json.dumps(said.content)).encode()
            self.send_response_only(said.status)
            self.send_header("Date", formatdate(time() + running.skew_seconds, usegmt=True))
            for name, value in ({"Content-Type": "application/json"} | dict(said.fields)).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    running = Front(server.server_port, bundle, pebble)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
