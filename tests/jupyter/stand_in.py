#!/usr/bin/env python3
"""What a container of the tests runs in Jupyter's place: there at once, for next to nothing.

It answers the few addresses that labgate and the tests of containers, homes and exits ask,
checks their token, and ends and logs as jupyter_server does. Only what comes with Python is used.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

PORT = 8888
TOKEN_OPTION = "--IdentityProvider.token="
FIELD_LIMIT = 65536

token = os.environ.get("JUPYTER_TOKEN", "")
terminals: list[dict[str, str]] = []


def log(line: str) -> None:
    sys.stderr.write(f"[I ServerApp] {line}\n")


def end(why: str) -> NoReturn:
    """End as Jupyter does: with 0 and the reason as its last words, its threads left alone."""
    log(why)
    os._exit(0)


def stored(path: str, content: bytes) -> object:
    """The contents of a file below the folder Jupyter was started in, replaced if any are given."""
    file = Path(path)
    if content:
        file.write_text(json.loads(content)["content"])
    return {"content": file.read_text()}


def opened() -> object:
    terminals.append({"name": str(len(terminals) + 1)})
    return terminals[-1]


def answer(method: str, path: str, content: bytes) -> object:
    """The JSON of what is asked below /api.

    Raises:
        LookupError: There is no such thing.
    """
    answers: dict[str, Callable[[], object]] = {
        "GET ": lambda: {"version": "stand-in"},
        "GET status": dict,
        "GET kernels": list,
        "GET terminals": lambda: terminals,
        "POST terminals": opened,
        "GET contents": dict,
    }
    if path.startswith("contents/"):
        return stored(path.removeprefix("contents/"), content)
    return answers[f"{method} {path}"]()


class Handler(socketserver.StreamRequestHandler):
    """One request; then the connection ends."""

    def handle(self) -> None:
        method, target, _ = self.rfile.readline(FIELD_LIMIT).decode().split()
        fields = dict(self.fields())
        content = self.rfile.read(int(fields.get("content-length", 0)))
        path, _, query = unquote(target).removeprefix("/api").lstrip("/").partition("?")
        known = fields.get("authorization") == f"token {token}" or query == f"token={token}"
        if path and not known:
            self.reply("403 Forbidden", {"message": "Forbidden"})
        elif path == "shutdown":
            self.reply("200 OK", {})
            end("Shutting down on /api/shutdown request.")
        else:
            try:
                self.reply("200 OK", answer(method, path, content))
            except LookupError:
                self.reply("404 Not Found", {"message": "Not Found"})

    def fields(self) -> list[tuple[str, str]]:
        found = []
        while line := self.rfile.readline(FIELD_LIMIT).decode().strip():
            name, _, value = line.partition(":")
            found.append((name.lower(), value.strip()))
        return found

    def reply(self, status: str, body: object) -> None:
        content = json.dumps(body).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        self.wfile.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def main() -> None:
    global token  # noqa: PLW0603  an option's word counts more than the environment's
    signal.signal(signal.SIGTERM, lambda number, _: end(f"received signal {number}, stopping"))
    for option in sys.argv[1:]:
        if option.startswith(TOKEN_OPTION):
            token = option.removeprefix(TOKEN_OPTION)
    if os.geteuid() == 0:
        sys.stderr.write("Running as root is not recommended. Use --allow-root to bypass.\n")
        sys.exit(1)
    with Server(("", PORT), Handler) as server:
        log(f"Jupyter Server is running at: http://127.0.0.1:{PORT}/lab")
        server.serve_forever()


if __name__ == "__main__":
    main()
