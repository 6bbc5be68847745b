"""Who gets in, over real sockets: judged by the answer and by what reached the upstream."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest
from passlib.hash import bcrypt

from proxy.access.access_control import AccessControl
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import RevokedFile
from proxy.access.session import RENEW_AFTER_SECONDS, Sessions
from proxy.net.reset import reset
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
        self.sessions = Sessions(b"k" * 32, self.ended.revoked)
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


@pytest.fixture
async def labgate(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(USERS, tmp_path) as running:
        yield running


@pytest.fixture
async def without_users(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(None, tmp_path) as running:
        yield running


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


# The password


async def test_nobody_gets_in_without_a_password(labgate: Guarded) -> None:
    for fields in ((), (b"Authorization: token abc",), HANDSHAKE, (b"Cookie: a=b",)):
        answer = await labgate.ask(*fields)
        assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        assert b'\r\nWWW-Authenticate: Basic realm="Jupyter", charset="UTF-8"\r\n' in answer
    assert not labgate.jupyter.visits
    assert {record.outcome for record in labgate.labgate.records} == {"refused (basic-auth)"}


@pytest.mark.parametrize(("user", "password"), [("ada", "sesame"), ("böb", "barley")])
async def test_a_password_lets_in_and_stays_here(
    labgate: Guarded, user: str, password: str
) -> None:
    answer = await labgate.ask(basic(user, password), b"Cookie: a=1;b=2")
    assert answer.endswith(b"\r\n\r\nok")
    assert b"Cookie: a=1;b=2\r\n" in labgate.jupyter.heads
    assert b"authorization" not in labgate.jupyter.heads.lower()


@pytest.mark.parametrize(
    "authorization",
    [
        basic("ada", "barley"),
        basic("eve", "sesame"),
        basic("ADA", "sesame"),
        basic("ada", "sesame "),
        basic("ada", ""),
        b"Authorization: Basic",
        b"Authorization: Basic %%%",
    ],
)
async def test_wrong(labgate: Guarded, authorization: bytes) -> None:
    assert await labgate.status(authorization) == 401
    assert not labgate.jupyter.visits


async def test_what_cannot_be_right_is_not_hashed(labgate: Guarded) -> None:
    for value in (b"Basic", b"Basic %%%", b"Basic " + b"A" * 20_000, b"Basic YWRh"):
        assert await labgate.status(b"Authorization: " + value) == 401
    assert await labgate.status(basic(), basic()) == 401
    assert labgate.access_control.verifier.hashed == 0
    assert labgate.lockout.remaining_failures("127.0.0.1", time.monotonic()) == 10


async def test_an_unknown_user_is_hashed_like_a_known_one(labgate: Guarded) -> None:
    await labgate.status(basic("eve", "sesame"))
    assert labgate.access_control.verifier.hashed == 1


async def test_a_password_beyond_72_octets(labgate: Guarded) -> None:
    assert await labgate.status(basic("ada", "x" * 100)) == 401


async def test_the_log_holds_no_secret(labgate: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    cookie = cookie_of(await labgate.ask(basic()))
    await labgate.ask(basic("ada", "open barley"))
    await labgate.ask(cookie)
    assert "refused 401 by rule basic-auth: Authorization" in caplog.text
    assert "basic-auth: ada logged in from 127.0.0.1" in caplog.text
    credentials = [basic(), basic("ada", "open barley"), cookie]
    for secret in [field.rpartition(b" ")[2].decode() for field in credentials] + [
        "sesame",
        "barley",
    ]:
        assert secret not in caplog.text


async def test_a_right_password_is_hashed_once(labgate: Guarded) -> None:
    statuses = await asyncio.gather(*(labgate.status(basic()) for _ in range(20)))
    assert set(statuses) == {200}
    assert await labgate.status(basic()) == 200
    assert labgate.access_control.verifier.hashed == 1


async def test_a_page_of_requests_with_an_old_password_is_one_failure(labgate: Guarded) -> None:
    statuses = await asyncio.gather(*(labgate.status(basic("ada", "old")) for _ in range(20)))
    assert set(statuses) == {401}
    assert await labgate.status(basic("ada", "old")) == 401
    assert labgate.access_control.verifier.hashed == 1
    assert labgate.lockout.remaining_failures("127.0.0.1", time.monotonic()) == 9


async def test_the_loop_goes_on_while_a_password_is_hashed(tmp_path: Path) -> None:
    async with guarded({"ada": SLOW.hash("sesame")}, tmp_path) as labgate:
        asking = asyncio.ensure_future(labgate.status(basic()))
        await until(lambda: labgate.access_control.verifier.hashed == 1)
        # Whole requests are served before this one hash, of about a second, is done.
        for _ in range(3):
            assert await labgate.status(target=b"/.labgate/health") == 200
        assert not asking.done()
        assert await asking == 200


async def test_who_hangs_up_has_tried_all_the_same(labgate: Guarded) -> None:
    labgate.count_with(Lockout(1, 900.0))
    _, writer = await labgate.labgate.connect()
    writer.write(request(b"/", basic("ada", "guess")))
    await until(lambda: labgate.access_control.verifier.hashed == 1)
    writer.transport.abort()
    await until(lambda: labgate.lockout.locked_out_seconds("127.0.0.1", time.monotonic()) > 0)
    assert await labgate.status(basic()) == 429


# The open doors


async def test_health_and_challenges_stay_open(labgate: Guarded) -> None:
    assert await labgate.status(target=b"/.labgate/health") == 200
    assert await labgate.status(target=b"/.labgate/ready") == 200
    assert await labgate.status(target=b"/.well-known/acme-challenge/abc") == 404


async def test_the_redirect_port_asks_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    write(file, USERS)
    async with edge(None, redirects=True) as labgate:
        labgate.router.protect(
            AccessControl(Lockout(1, 900.0), Htpasswd(file), Sessions(b"k" * 32))
        )
        for _ in range(3):
            assert (await labgate.ask(request(b"/", basic("ada", "x")))).startswith(b"HTTP/1.1 301")


async def test_other_checks_come_first(labgate: Guarded) -> None:
    assert await labgate.status(b"Origin: https://evil.example") == 403
    answer = await labgate.labgate.ask(b"GET / HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 421")


# The file


async def test_a_changed_file_ends_sessions_and_passwords(labgate: Guarded) -> None:
    assert labgate.htpasswd is not None
    cookie = cookie_of(await labgate.ask(basic()))
    assert await labgate.status(cookie) == 200
    write(labgate.htpasswd._path, {**USERS, "ada": CHEAP.hash("another")})
    labgate.htpasswd.next_check = 0.0
    assert await labgate.status(cookie) == 401
    assert await labgate.status(basic()) == 401
    assert await labgate.status(basic("ada", "another")) == 200


async def test_a_removed_file_opens_nothing(labgate: Guarded) -> None:
    assert labgate.htpasswd is not None
    labgate.htpasswd._path.unlink()
    labgate.htpasswd.next_check = 0.0
    assert await labgate.status() == 401
    assert await labgate.status(basic()) == 200


# The session


async def test_a_session_stands_for_the_password(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    answer = await labgate.ask(cookie + b"; a=1", b"Authorization: token abc")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"Set-Cookie" not in answer
    sent = labgate.jupyter.visits[-1].received.splitlines()
    assert b"Cookie: a=1" in sent
    assert b"Authorization: token abc" in sent
    assert b"__Host-labgate" not in labgate.jupyter.heads


async def test_a_session_opens_websockets(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    reader, writer = await labgate.labgate.connect()
    upgrade = (b"Connection: Upgrade", *HANDSHAKE)
    lines = [b"GET /api/events/subscribe HTTP/1.1", b"Host: lab.example.org", *upgrade, cookie]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    assert b"__Host-labgate" not in labgate.jupyter.heads


async def test_a_password_on_a_websocket_gives_a_session(labgate: Guarded) -> None:
    reader, writer = await labgate.labgate.connect()
    upgrade = (b"Connection: Upgrade", *HANDSHAKE, b"Sec-Fetch-Mode: websocket")
    lines = [b"GET /api/events/subscribe HTTP/1.1", b"Host: lab.example.org", *upgrade, basic()]
    writer.write(b"\r\n".join([*lines, b"", b""]))
    assert cookie_of(await reader.readuntil(b"\r\n\r\n"))


async def test_parts_of_a_page_set_no_cookie(labgate: Guarded) -> None:
    assert b"Set-Cookie" not in await labgate.ask(basic(), b"Sec-Fetch-Mode: no-cors")
    assert b"Set-Cookie" not in await labgate.ask(basic(), b"Sec-Fetch-Mode: cors")
    cookie_of(await labgate.ask(basic(), b"Sec-Fetch-Mode: navigate"))


async def test_an_old_session_is_renewed(labgate: Guarded) -> None:
    issued = time.time() - RENEW_AFTER_SECONDS - 60
    old = labgate.sessions.issue("ada", USERS["ada"], issued)[1].partition(b";")[0]
    renewed = cookie_of(await labgate.ask(b"Cookie: " + old))
    assert old not in renewed
    assert b"Set-Cookie" not in await labgate.ask(renewed)


async def test_changes_are_shown_by_their_rule(labgate: Guarded) -> None:
    await labgate.ask(basic())
    record = labgate.labgate.records[-1]
    assert [change.name for change in record.changes_up if change.rule == "basic-auth"] == [
        b"Authorization"
    ]
    assert [change.name for change in record.changes_down if change.rule == "basic-auth"] == [
        b"Set-Cookie"
    ]


# Its end


OWN = b"Origin: https://lab.example.org"
LEAVE = {"target": b"/.labgate/logout", "method": b"POST"}


async def test_logging_out_ends_the_session_and_its_copies(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    other = cookie_of(await labgate.ask(basic()))
    old = labgate.sessions.find([cookie[8:]], USERS, time.time())
    assert old is not None
    value = labgate.sessions.issue("ada", USERS["ada"], time.time() + 1, old.name)[1]
    renewed = b"Cookie: " + value.partition(b";")[0]
    answer = await labgate.ask(cookie, OWN, b"Content-Length: 0", **LEAVE)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert (
        b"\r\nSet-Cookie: __Host-labgate=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0\r\n"
        in answer
    )
    assert b"\r\nWWW-Authenticate: Basic" in answer
    assert [await labgate.status(one) for one in (cookie, renewed, other)] == [401, 401, 200]
    # Another labgate with the same folder, as after a restart.
    kept = RevokedFile(labgate.folder).revoked
    again = Sessions(b"k" * 32, kept)
    assert again.find([cookie[8:]], USERS, time.time()) is None
    assert again.find([other[8:]], USERS, time.time()) is not None
    assert b"labgate/logout" not in labgate.jupyter.heads


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ((), 403),
        ((b"Origin: https://evil.example",), 403),
        ((b"Origin: null",), 403),
        ((OWN, b"Sec-Fetch-Site: cross-site"), 403),
    ],
)
async def test_another_site_logs_nobody_out(
    labgate: Guarded, fields: tuple[bytes, ...], status: int
) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    assert await labgate.status(cookie, b"Content-Length: 0", *fields, **LEAVE) == status
    page = await labgate.ask(cookie, target=b"/.labgate/logout")
    assert page.startswith(b"HTTP/1.1 200 ")
    assert b'<form method="post" action="/.labgate/logout">' in page
    assert b"Set-Cookie" not in page
    assert await labgate.status(cookie) == 200


async def test_who_is_not_logged_in_ends_nothing(labgate: Guarded) -> None:
    forged = b"Cookie: __Host-labgate=2.1.0123456789abcdef.YWRh.x"
    for fields in ((), (basic(),), (forged,)):
        assert await labgate.status(OWN, b"Content-Length: 0", *fields, **LEAVE) == 401
    assert not list(labgate.folder.glob("ended*"))


async def test_jupyter_cannot_set_a_session(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    labgate.answering.answer = OK.replace(
        b"\r\n\r\n", b"\r\nSet-Cookie: __Host-labgate=x; Path=/; Secure\r\nSet-Cookie: a=b\r\n\r\n"
    )
    answer = await labgate.ask(cookie)
    assert answer.count(b"Set-Cookie: ") == 1
    assert b"Set-Cookie: a=b; Secure" in answer


# The brake


async def test_failures_shut_an_address_out_but_no_session(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    labgate.count_with(Lockout(2, 900.0))
    assert await labgate.status(basic("ada", "1")) == 401
    assert await labgate.status(basic("ada", "2")) == 401  # half a second later
    for password in ("3", "sesame"):
        answer = await labgate.ask(basic("ada", password))
        assert answer.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        seconds = re.search(rb"\r\nRetry-After: (\d+)\r\n", answer)
        assert seconds
        assert 890 <= int(seconds[1]) <= 900
        assert b"Too many failed logins from this address; try again in 15 minutes." in answer
    assert labgate.labgate.records[-1].outcome == "refused (lockout)"
    assert await labgate.status() == 401
    assert await labgate.status(cookie, basic("ada", "4")) == 200
    assert await labgate.log_in_to_jupyter() == 401  # no session, no password
    length = b"Content-Length: 0"
    assert await labgate.status(cookie, length, target=b"/login", method=b"POST") == 429


async def test_a_slowed_address_tries_one_at_a_time(labgate: Guarded) -> None:
    labgate.count_with(Lockout(3, 900.0))
    assert await labgate.status(basic("ada", "1")) == 401
    started = time.monotonic()
    statuses = await asyncio.gather(*(labgate.status(basic("ada", f"x{n}")) for n in range(9)))
    assert sorted(statuses) == [401, *[429] * 8]
    assert time.monotonic() - started >= 0.5


async def test_a_flood_with_one_password_does_not_use_up_the_requests(labgate: Guarded) -> None:
    labgate.count_with(Lockout(3, 900.0))
    assert await labgate.status(basic("ada", "1")) == 401
    statuses = await asyncio.gather(*(labgate.status(basic("ada", "2")) for _ in range(80)))
    # Those that wait for the one slowed attempt get its answer, and so do late comers.
    assert set(statuses) == {401, 429}
    assert statuses.count(429) <= 16
    assert labgate.access_control.verifier.hashed == 2


async def test_a_burst_of_guesses_is_not_all_hashed(labgate: Guarded) -> None:
    statuses = await asyncio.gather(*(labgate.status(basic("ada", f"x{n}")) for n in range(60)))
    assert set(statuses) == {401, 429}
    assert labgate.access_control.verifier.hashed <= 4  # three for free, and one beside the third


async def test_a_class_behind_one_address_logs_in_at_once(tmp_path: Path) -> None:
    pupils = {f"pupil{n}": CHEAP.hash(f"secret{n}") for n in range(30)}
    async with guarded(pupils, tmp_path) as labgate:
        statuses = await asyncio.gather(
            *(labgate.status(basic(f"pupil{n}", f"secret{n}")) for n in range(30))
        )
    assert set(statuses) == {200}


async def test_one_client_behind_a_trusted_proxy_does_not_shut_out_another(tmp_path: Path) -> None:
    async with guarded(USERS, tmp_path, trusted="127.0.0.1") as labgate:
        labgate.count_with(Lockout(1, 900.0))
        evil, good = b"X-Forwarded-For: 203.0.113.6", b"X-Forwarded-For: 203.0.113.7"
        assert await labgate.status(evil, basic("ada", "1")) == 401
        assert await labgate.status(evil, basic()) == 429
        # What the client says of itself is not believed.
        assert await labgate.status(b"X-Forwarded-For: 203.0.113.7, 203.0.113.6", basic()) == 429
        assert await labgate.status(good, basic()) == 200


# Jupyter's own login


async def test_jupyters_failed_logins_count(without_users: Guarded) -> None:
    labgate = without_users
    labgate.answering.answer = INVALID
    labgate.count_with(Lockout(2, 900.0))
    assert [await labgate.log_in_to_jupyter() for _ in range(3)] == [401, 401, 429]
    assert labgate.jupyter.heads.count(b"POST /login") == 2
    assert await labgate.status() == 401  # Jupyter's own answer: only logins are shut out


async def test_a_burst_of_logins_to_jupyter(without_users: Guarded) -> None:
    labgate = without_users
    labgate.answering.answer = INVALID
    labgate.count_with(Lockout(6, 900.0))
    statuses = await asyncio.gather(*(labgate.log_in_to_jupyter() for _ in range(30)))
    assert sorted(statuses) == [401] * 6 + [429] * 24
    assert labgate.jupyter.heads.count(b"POST /login") == 6


async def test_xsrf_and_success_are_no_failures(without_users: Guarded) -> None:
    labgate = without_users
    labgate.count_with(Lockout(2, 900.0))
    answers = [NO_XSRF] * 4 + [INVALID, LOGGED_IN] * 3
    for answer in answers:
        labgate.answering.answer = answer
        assert await labgate.log_in_to_jupyter() == int(answer[9:12])
    assert not labgate.lockout.locked_out_seconds("127.0.0.1", time.monotonic())


async def test_a_jupyter_that_is_down_is_no_failure(tmp_path: Path) -> None:
    async with edge(None) as labgate:
        labgate.router.protect(AccessControl(Lockout(1, 900.0)))
        for _ in range(3):
            head = request(b"/login", b"Content-Length: 0", method=b"POST")
            assert (await labgate.ask(head)).startswith(b"HTTP/1.1 503")


# Jupyter's token

RIGHT = "t0ken"
CONTENT = b"Content-Length: 0\r\n\r\n"


class TokenJupyter:
    """Answers as jupyter_server does to a token, and to the login cookie it gives for one."""

    def __init__(self, port: int) -> None:
        self.login = b"username-127-0-0-1-%d" % port
        self.tried: list[str] = []
        self.hold: asyncio.Event | None = None

    async def __call__(self, visit: Visit) -> None:
        while head := await visit.head():
            found = re.search(rb"(?:[?&]token=|Authorization: token )([^\r &]+)", head)
            if found:
                self.tried.append(found[1].decode())
            if self.hold is not None:
                await self.hold.wait()
            await visit.say(self.answer(head, found is not None and found[1] == RIGHT.encode()))

    def answer(self, head: bytes, right: bool) -> bytes:
        logged_in = self.login + b"=valid" in head
        cookie = b"Set-Cookie: " + self.login + b"=valid\r\n" if right and not logged_in else b""
        if right or logged_in or head.startswith(b"GET /api?"):
            return b"HTTP/1.1 200 OK\r\n" + cookie + CONTENT
        if head.startswith(b"GET /lab"):
            return b"HTTP/1.1 302 Found\r\nLocation: /login?next=%2Flab\r\n" + CONTENT
        return b"HTTP/1.1 403 Forbidden\r\n" + CONTENT


@pytest.fixture
async def tokens(without_users: Guarded) -> tuple[Guarded, TokenJupyter]:
    jupyter = TokenJupyter(without_users.jupyter.address.port)
    without_users.jupyter.answer = jupyter
    return without_users, jupyter


Tokened = tuple[Guarded, TokenJupyter]


def remaining(labgate: Guarded) -> int:
    return labgate.lockout.remaining_failures("127.0.0.1", time.monotonic())


@pytest.mark.parametrize(
    ("target", "field", "status"),
    [
        ("/lab?token={}", "A: b", 302),
        ("/api/contents?to%6ben={}", "A: b", 403),
        ("/api?token={}", "A: b", 200),
        ("/api/contents", "Authorization: token {}", 403),
        ("/api?x=1", "Authorization: token {}", 200),
    ],
)
async def test_guesses_at_the_token_shut_an_address_out(
    tokens: Tokened, target: str, field: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    labgate, jupyter = tokens
    statuses = [
        await labgate.status(field.format(f"x{n}").encode(), target=target.format(f"x{n}").encode())
        for n in range(150)
    ]
    assert statuses == [status] * 10 + [429] * 140
    assert len(jupyter.tried) in (0, 10)  # 0: an encoded name is none of this test's
    assert caplog.text.count("lockout: too many failed logins, 127.0.0.1 is shut out for") == 1
    assert 1 <= caplog.text.count("refused 429") < 100, "a crowd gets a line now and then"
    # The right one is not tried either, a login to Jupyter is not, and all else goes on.
    assert await labgate.status(target=f"/lab?token={RIGHT}".encode()) == 429
    assert await labgate.log_in_to_jupyter() == 429
    assert await labgate.status(target=b"/api?x=1") == 200


async def test_a_burst_of_guesses_at_the_token(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    statuses = await asyncio.gather(
        *(labgate.status(target=f"/lab?token=x{n}".encode()) for n in range(150))
    )
    assert statuses.count(429) >= 140
    assert len(jupyter.tried) <= 10


async def test_an_open_tab_whose_token_has_expired_shuts_nobody_out(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    for _ in range(40):
        assert await labgate.status(b"Authorization: token old", target=b"/api/contents") == 403
    assert await labgate.status(target=b"/lab?token=old") == 302
    assert remaining(labgate) == 9
    assert len(jupyter.tried) == 41


async def test_who_is_logged_in_and_brings_an_old_token_is_not_counted(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    cookie = b"Cookie: " + jupyter.login + b"=valid"
    for n in range(20):
        assert await labgate.status(cookie, target=f"/lab?token=old{n}".encode()) == 200
    assert remaining(labgate) == 10


async def test_a_right_token_is_not_slowed(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    for n in range(9):
        await labgate.status(target=f"/lab?token=x{n}".encode())
    jupyter.hold = asyncio.Event()
    asking = [
        asyncio.ensure_future(labgate.status(target=f"/lab?token={RIGHT}".encode()))
        for _ in range(30)
    ]
    # All of them are with Jupyter at once.
    await until(lambda: jupyter.tried.count(RIGHT) == 30)
    jupyter.hold.set()
    assert set(await asyncio.gather(*asking)) == {200}
    assert remaining(labgate) == 1


async def test_a_token_that_was_right_needs_no_room(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    labgate.count_with(Lockout(2, 900.0))
    right = f"/lab?token={RIGHT}".encode()
    assert await labgate.status(target=right) == 200
    jupyter.hold = asyncio.Event()
    guesses = [
        asyncio.ensure_future(labgate.status(target=f"/lab?token=x{n}".encode())) for n in range(2)
    ]
    await until(lambda: len(jupyter.tried) == 3)
    asking = asyncio.ensure_future(labgate.status(target=right))
    await until(lambda: len(jupyter.tried) == 4)
    jupyter.hold.set()
    assert await asking == 200
    assert await asyncio.gather(*guesses) == [302, 302]


async def test_a_token_that_proves_right_takes_its_failure_back(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    jupyter.answer = lambda head, right: b"HTTP/1.1 200 OK\r\n" + CONTENT  # type: ignore[method-assign]
    assert await labgate.status(target=f"/plain?token={RIGHT}".encode()) == 200
    assert remaining(labgate) == 9
    del jupyter.answer
    assert await labgate.status(target=f"/lab?token={RIGHT}".encode()) == 200
    assert remaining(labgate) == 10


async def test_an_open_tab_works_on_while_its_address_is_shut_out(tokens: Tokened) -> None:
    """Its login goes up, its token is not tried: it could be anybody's guess."""
    labgate, jupyter = tokens
    for n in range(10):
        await labgate.status(target=f"/lab?token=x{n}".encode())
    cookie = b"Cookie: " + jupyter.login + b"=valid"
    token = f"Authorization: token {RIGHT}".encode()
    assert await labgate.status(cookie, token, target=b"/api/contents") == 200
    assert RIGHT not in jupyter.tried
    assert await labgate.status(b"Cookie: a=b", token, target=b"/api/contents") == 403
    assert await labgate.status(token, target=b"/api/contents") == 429


async def test_who_hangs_up_has_tried_a_token_all_the_same(tokens: Tokened) -> None:
    labgate, jupyter = tokens
    jupyter.hold = asyncio.Event()
    _, writer = await labgate.labgate.connect()
    writer.write(request(b"/lab?token=x"))
    await until(lambda: bool(jupyter.tried))
    reset(writer.transport)
    await until(lambda: remaining(labgate) == 9)
    jupyter.hold.set()


async def test_a_token_on_a_websocket_and_one_with_a_login(tokens: Tokened) -> None:
    labgate, _ = tokens
    lines = [b"GET /terminals/websocket/1?token=x HTTP/1.1", b"Host: lab.example.org"]
    reader, writer = await labgate.labgate.connect()
    writer.write(b"\r\n".join([*lines, b"Connection: Upgrade", *HANDSHAKE, b"", b""]))
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403")
    assert remaining(labgate) == 9
    length = b"Content-Length: 0"
    assert await labgate.status(length, target=b"/login?token=y", method=b"POST") == 403
    assert remaining(labgate) == 8


async def test_no_token_is_counted_while_jupyter_is_down(tmp_path: Path) -> None:
    async with edge(None) as labgate:
        lockout = Lockout(1, 900.0)
        labgate.router.protect(AccessControl(lockout))
        for n in range(3):
            answer = await labgate.ask(request(b"/lab?token=x%d" % n))
            assert answer.startswith(b"HTTP/1.1 503")
        assert lockout.remaining_failures("127.0.0.1", time.monotonic()) == 1


async def test_tokens_are_counted_with_passwords_too(labgate: Guarded) -> None:
    cookie = cookie_of(await labgate.ask(basic()))
    labgate.answering.answer = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
    for n in range(10):
        assert await labgate.status(cookie, target=b"/api/contents?token=x%d" % n) == 403
    assert await labgate.status(cookie, target=b"/api/contents?token=y") == 429
    assert await labgate.status(cookie, target=b"/api/contents") == 403


async def test_nothing_is_counted_with_zero(labgate: Guarded) -> None:
    labgate.count_with(Lockout(0, 900.0))
    for number in range(12):
        assert await labgate.status(basic("ada", f"x{number}")) == 401
    assert await labgate.status(basic()) == 200
    labgate.answering.answer = INVALID
    length = b"Content-Length: 0"
    for _ in range(12):
        assert await labgate.status(basic(), length, target=b"/login", method=b"POST") == 401
