"""An edge with access control in front of an upstream, for tests over real sockets."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

from passlib.hash import bcrypt

from proxy.access.access_control import AccessControl
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import RevokedFile
from proxy.access.session import Sessions
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from tests.edges import PUBLIC, Edge, edge, request
from tests.upstreams import OK, Upstream, Visit, upstream

PATIENCE_SECONDS = 30.0
CHEAP = bcrypt.using(rounds=4)
SLOW = bcrypt.using(rounds=14)
USERS = {"ada": CHEAP.hash("sesame"), "böb": CHEAP.hash("barley")}
HANDSHAKE = (
    b"Upgrade: websocket",
    b"Origin: https://lab.example.org",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)
LOGGED_IN = b"HTTP/1.1 302 Found\r\nLocation: /lab\r\nContent-Length: 0\r\n\r\n"
INVALID = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
NO_XSRF = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"


def basic(user: str = "ada", password: str = "sesame") -> bytes:
    return b"Authorization: Basic " + base64.b64encode(f"{user}:{password}".encode())


def write(file: Path, users: dict[str, str]) -> None:
    temporary = file.with_suffix(".new")
    temporary.write_text("".join(f"{user}:{hashed}\n" for user, hashed in users.items()))
    temporary.chmod(0o600)
    temporary.rename(file)


class Guarded:
    """An edge with access control in front of an upstream."""

    def __init__(
        self,
        labgate: Edge,
        jupyter: Upstream,
        htpasswd: Htpasswd | None,
        answering: Jupyter,
        folder: Path,
    ) -> None:
        self.labgate = labgate
        self.folder = folder
        self.answering = answering
        self.jupyter = jupyter
        self.lockout = Lockout(10, 900.0)
        self.ended = RevokedFile(folder)
        self.sessions = Sessions(b"k" * 32, self.ended.load())
        self.htpasswd = htpasswd
        self.count_with(self.lockout)

    def count_with(self, lockout: Lockout) -> None:
        self.lockout = lockout
        self.access_control = AccessControl(
            lockout, self.htpasswd, self.sessions, revoke=self.ended.save
        )
        self.labgate.router.protect(self.access_control)

    async def ask(self, *fields: bytes, target: bytes = b"/", method: bytes = b"GET") -> bytes:
        return await self.labgate.ask(request(target, *fields, method=method))

    async def status(self, *fields: bytes, target: bytes = b"/", method: bytes = b"GET") -> int:
        return int((await self.ask(*fields, target=target, method=method))[9:12])

    async def log_in_to_jupyter(self) -> int:
        length = b"Content-Length: 0"
        return await self.status(length, target=b"/login?next=%2Flab", method=b"POST")


SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


class Jupyter:
    """Answers every request with ``answer``, opens every WebSocket."""

    def __init__(self) -> None:
        self.answer = OK

    async def __call__(self, visit: Visit) -> None:
        while head := await visit.head():
            if b"Upgrade: websocket" in head:
                await visit.say(SWITCHED)
                await visit.reader.read()
                return
            await visit.say(self.answer)


@asynccontextmanager
async def guarded(
    users: dict[str, str] | None, folder: Path, *, trusted: str = ""
) -> AsyncIterator[Guarded]:
    file = folder / "htpasswd"
    if users is not None:
        write(file, users)
    answering = Jupyter()
    async with upstream(answering) as jupyter:
        site = make_site(
            (PUBLIC,),
            jupyter.address.origin,
            requires_login=users is not None,
            trusted_proxies=Networks([ip_network(trusted)] if trusted else []),
        )
        async with edge(jupyter.address, site=site) as labgate:
            htpasswd = Htpasswd(file) if users is not None else None
            yield Guarded(labgate, jupyter, htpasswd, answering, folder)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until the condition holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


def cookie_of(answer: bytes) -> bytes:
    """The field a browser sends back after this answer."""
    found = re.search(rb"\r\nSet-Cookie: (__Host-labgate=[^;]+); Path=/; Secure; HttpOnly", answer)
    assert found, answer
    return b"Cookie: " + found[1]
