"""Whether anything answers at the upstream is said at start, and does not hold up the start."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.e2e.programs import Labgate, free_port


@contextmanager
def nobody() -> Iterator[str]:
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def no_socket() -> Iterator[str]:
    yield "unix:/nonexistent/jupyter.sock"


@contextmanager
def somebody_silent() -> Iterator[str]:
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def somebody() -> Iterator[str]:
    """Not even a Jupyter: it has an error for everything."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("upstream", "why"),
    [
        (nobody, "Connection refused"),
        (no_socket, "No such file or directory"),
        (somebody_silent, "no answer within 0.5 s"),
        (somebody, ""),
    ],
    ids=lambda given: getattr(given, "__name__", None),
)
@pytest.mark.parametrize(
    "command",
    [("serve",), ("serve", "--workers", "2"), ("up", "--launch", "none")],
    ids=["serve", "workers", "up"],
)
def test_it_is_said(
    command: tuple[str, ...],
    upstream: Callable[[], AbstractContextManager[str]],
    why: str,
    tmp_path: Path,
) -> None:
    with upstream() as url:
        options = ("--upstream", url, "--bind", "127.0.0.1", "--no-tls")
        with Labgate(tmp_path, *command, *options, tls=False) as labgate:
            remark = labgate.facts.get("waiting")
            wait = f"nothing answers at {url} yet ({why}); requests get 503 until it does"
            assert remark == (wait if why else None)
            assert labgate.stop() == 0
