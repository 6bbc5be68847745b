"""Several Jupyters behind one application: who gets which request, and what a reload does."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.app import Application
from proxy.builders import cache_folder_name, static_files_folder
from proxy.config.routes import served_routes
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.inspector.exchange import Exchange
from proxy.inspector.recorder import CaptureOptions
from tests.certificates import AUTHORITY, pair
from tests.e2e.programs import free_port
from tests.passwords import write_htpasswd
from tests.upstreams import Answer, Upstream, Visit, upstream

SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
UPGRADE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def named(name: str, waits: asyncio.Event | None = None) -> Answer:
    """Answers its name to each request but one for ``/never``, and echoes after an upgrade."""

    async def answer(visit: Visit) -> None:
        while True:
            head = await visit.head()
            if b"GET /never " in head and waits is not None:
                waits.set()
                await visit.reader.read()
            if b"Upgrade: websocket" in head:
                await visit.say(SWITCHED)
                while data := await visit.reader.read(100):
                    await visit.say(data)
                return
            body = name.encode()
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    return answer


class Behind:
    """An application in front of upstreams that answer their names."""

    def __init__(self, folder: Path, upstreams: dict[str, Upstream]) -> None:
        self.port = free_port()
        self.upstreams = upstreams
        self._folder = folder
        self.waits = asyncio.Event()
        self.labgate: Application

    def settings(self, routes: Sequence[dict[str, Any]], **sections: dict[str, Any]) -> Settings:
        """The upstream of a route is named as in ``upstreams``."""
        written = [{**one, "upstream": self.url(one["upstream"])} for one in routes]
        listen = {"bind": "127.0.0.1", "http_port": self.port, "tls": False, "drain_seconds": 0.2}
        state = {"folder": str(self._folder / "state")}
        common = {"site": {"domains": "lab.localhost:443"}, "listen": listen, "state": state}
        return Settings.model_validate({**common, **sections, "routes": written})

    def url(self, name: Any) -> Any:
        """Where an upstream is; anything else as it is."""
        found = self.upstreams.get(name) if isinstance(name, str) else None
        return str(found.address) if found is not None else name

    async def start(self, settings: Settings) -> None:
        self.labgate = Application(settings, access_log=False, renew=False)
        await self.labgate.start()

    async def reload(self, settings: Settings) -> None:
        (await self.labgate.prepare(settings, access_log=False))()

    async def open(
        self, host: str, target: str, *lines: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection after a request was sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        request = "\r\n".join((f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", ""))
        writer.write(request.encode())
        return reader, writer

    async def ask(self, host: str, target: str = "/", *lines: str) -> tuple[int, str]:
        """The status, and the content or where a redirect leads."""
        status, head, content = await self.ask_whole(host, target, *lines)
        where = [line for line in head.splitlines() if line.startswith("Location: ")]
        return status, where[0].partition(" ")[2] if where else content

    async def ask_whole(self, host: str, target: str, *lines: str) -> tuple[int, str, str]:
        reader, writer = await self.open(host, target, "Connection: close", *lines)
        head, _, content = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split(" ")[1]), head, content

    async def open_websocket(
        self, host: str, target: str = "/"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        origin = f"Origin: https://{host}"
        reader, writer = await self.open(host, target, origin, *UPGRADE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return reader, writer


@asynccontextmanager
async def behind(folder: Path, *names: str) -> AsyncIterator[Behind]:
    waits = asyncio.Event()
    async with asyncio.timeout(60), AsyncExitStack() as stack:
        upstreams = {
            name: await stack.enter_async_context(upstream(named(name, waits))) for name in names
        }
        made = Behind(folder, upstreams)
        made.waits = waits
        try:
            yield made
        finally:
            # A test that failed may have left requests open.
            forced = asyncio.Event()
            forced.set()
            await made.labgate.stop(forced)


ADA = {"path": "/ada", "upstream": "ada"}
BOB = {"domains": "bob.localhost:443", "upstream": "bob"}


async def test_each_request_goes_to_the_jupyter_of_its_name_and_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind(tmp_path, "site", "ada", "bob") as it:
        await it.start(it.settings([ADA, BOB], upstream={"url": it.url("site")}))
        it.labgate.connect_to(it.upstreams["site"].address)
        assert await it.ask("lab.localhost") == (200, "site")
        assert await it.ask("lab.localhost", "/ada/lab") == (200, "ada")
        assert await it.ask("lab.localhost", "/ada?x") == (301, "https://lab.localhost/ada/?x")
        assert await it.ask("bob.localhost", "/ada/lab") == (200, "bob")
        assert b"GET /ada/lab " in it.upstreams["ada"].heads
        # Each is told its own address.
        host = it.upstreams["bob"].address.origin.authority
        assert f"Host: {host}\r\n".encode() in it.upstreams["bob"].heads
        assert (await it.ask("eve.localhost"))[0] == 421
    assert "names with a route: lab.localhost, bob.localhost" in caplog.text


async def test_without_a_jupyter_of_its_own_the_site_has_labgates_paths_alone(
    tmp_path: Path,
) -> None:
    async with behind(tmp_path, "ada") as it:
        await it.start(it.settings([ADA]))
        assert it.labgate.upstream is None
        assert (await it.ask("lab.localhost"))[0] == 404
        assert await it.ask("lab.localhost", "/.labgate/health") == (200, "serving\n")
        # A load balancer knows no name.
        assert await it.ask("127.0.0.1", "/.labgate/health") == (200, "serving\n")


async def test_a_page_of_one_name_reaches_nothing_at_another(tmp_path: Path) -> None:
    async with behind(tmp_path, "ada", "bob") as it:
        eve = {"domains": "ada.localhost:443", "upstream": "ada"}
        await it.start(it.settings([eve, BOB]))
        for host, other in (("ada", "bob"), ("bob", "ada")):
            assert (await it.ask(f"{host}.localhost", "/", f"Origin: https://{host}.localhost"))[
                0
            ] == 200
            foreign = f"Origin: https://{other}.localhost"
            assert (await it.ask(f"{host}.localhost", "/", foreign))[0] == 403
            assert (await it.ask(f"{host}.localhost", "/", foreign, *UPGRADE))[0] == 403


def basic(password: str) -> str:
    return f"Authorization: Basic {base64.b64encode(f'ada:{password}'.encode()).decode()}"


async def test_each_name_has_a_login_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = write_htpasswd(tmp_path), write_htpasswd(tmp_path / "other")
    # The same line in both: the same user with the same hash.
    second.write_text(first.read_text())
    async with behind(tmp_path, "ada", "bob") as it:
        await it.start(
            it.settings(
                [
                    {"domains": "ada.localhost:443", "upstream": "ada", "htpasswd": str(first)},
                    {**BOB, "htpasswd": str(second)},
                    {"domains": "eve.localhost:443", "upstream": "ada"},
                ]
            )
        )
        assert (await it.ask("ada.localhost"))[0] == 401
        assert await it.ask("eve.localhost") == (200, "ada")
        status, head, _ = await it.ask_whole("ada.localhost", "/", basic("sesame"))
        assert status == 200
        cookie = next(line for line in head.splitlines() if line.startswith("Set-Cookie: __Host-"))
        session = "Cookie: " + cookie.split(" ")[1].rstrip(";")
        assert await it.ask("ada.localhost", "/", session) == (200, "ada")
        assert (await it.ask("bob.localhost", "/", session))[0] == 401
        # Neither goes up.
        assert b"__Host-" not in it.upstreams["ada"].heads


async def test_paths_of_one_host_share_the_login_and_its_end(tmp_path: Path) -> None:
    access = {"htpasswd": str(write_htpasswd(tmp_path))}
    async with behind(tmp_path, "ada", "bob") as it:
        paths = [ADA, {"path": "/bob", "upstream": "bob"}]
        await it.start(it.settings(paths, access=access))
        status, head, _ = await it.ask_whole("lab.localhost", "/ada/", basic("sesame"))
        assert status == 200
        cookie = next(line for line in head.splitlines() if line.startswith("Set-Cookie: __Host-"))
        session = "Cookie: " + cookie.split(" ")[1].rstrip(";")
        assert await it.ask("lab.localhost", "/bob/", session) == (200, "bob")
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(
            b"POST /.labgate/logout HTTP/1.1\r\nHost: lab.localhost\r\nConnection: close\r\n"
            b"Origin: https://lab.localhost\r\n%b\r\nContent-Length: 0\r\n\r\n" % session.encode()
        )
        assert (await reader.read()).startswith(b"HTTP/1.1 401 ")
        writer.close()
        for path in ("/ada/", "/bob/"):
            assert (await it.ask("lab.localhost", path, session))[0] == 401


async def test_a_login_at_one_forgives_no_guesses_at_another(tmp_path: Path) -> None:
    """Or whoever has one Jupyter could guess the password of the next without limit."""

    async def judges(visit: Visit) -> None:
        while True:
            head = await visit.head()
            status = b"302 Found" if b"?right" in head else b"401 Unauthorized"
            await visit.say(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    async with behind(tmp_path, "ada", "bob") as it:
        for one in it.upstreams.values():
            one.answer = judges
        mine = {"domains": "ada.localhost:443", "upstream": "ada"}
        await it.start(it.settings([mine, BOB], access={"login_failures": 2}))

        async def log_in(host: str, target: str) -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(
                f"POST {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )
            status = int((await reader.read()).split(b" ")[1])
            writer.close()
            return status

        said = []
        for _ in range(2):
            said.append(await log_in("bob.localhost", "/login"))
            await log_in("ada.localhost", "/login?right")
        assert [*said, await log_in("bob.localhost", "/login")] == [401, 401, 429]


async def test_a_reload_changes_one_and_the_others_keep_their_connections(tmp_path: Path) -> None:
    async with behind(tmp_path, "site", "ada", "bob", "eve") as it:
        site = {"upstream": {"url": it.url("site")}}
        await it.start(it.settings([BOB], **site))
        it.labgate.connect_to(it.upstreams["site"].address)
        kept = [await it.open_websocket("lab.localhost"), await it.open_websocket("bob.localhost")]
        idle, sends = await it.open("lab.localhost", "/")
        assert (await idle.readuntil(b"site")).startswith(b"HTTP/1.1 200 ")

        await it.reload(it.settings([BOB, ADA], **site))
        assert await it.ask("lab.localhost", "/ada/") == (200, "ada")
        # A connection that was open before knows the new route, too.
        sends.write(b"GET /ada/ HTTP/1.1\r\nHost: lab.localhost\r\n\r\n")
        assert (await idle.readuntil(b"ada")).startswith(b"HTTP/1.1 200 ")
        sends.close()

        await it.reload(it.settings([{**BOB, "upstream": "eve"}, ADA], **site))
        assert await it.ask("bob.localhost") == (200, "eve")
        for reader, writer in kept:
            writer.write(b"still there")
            assert await reader.readexactly(11) == b"still there"

        gone, writer = kept.pop()
        _, waits = await it.open("bob.localhost", "/never")
        await it.waits.wait()
        without = it.settings([ADA], **site)
        patient = without.listen.model_copy(update={"drain_seconds": 3600.0})
        await it.reload(without.model_copy(update={"listen": patient}))
        assert (await it.ask("bob.localhost"))[0] == 421
        # At once, though a request beside it may take its time.
        with suppress(ConnectionResetError):
            assert not await gone.read()
        for one in (writer, waits):
            one.close()
        (reader, writer), *_ = kept
        writer.write(b"still there")
        assert await reader.readexactly(11) == b"still there"

        await it.reload(it.settings([], **site))
        assert await it.ask("lab.localhost", "/ada/") == (200, "site")
        writer.write(b"still there")
        assert await reader.readexactly(11) == b"still there"
        writer.close()


async def test_a_request_does_not_outlive_its_removed_route(tmp_path: Path) -> None:
    """After ``drain_seconds`` nothing looks after it any more: no time would ever run out."""
    async with behind(tmp_path, "ada", "bob") as it:
        await it.start(it.settings([ADA, BOB]))
        # The next one uses the same connection to Jupyter, and is not repeated for that.
        assert await it.ask("bob.localhost") == (200, "bob")
        reader, writer = await it.open("bob.localhost", "/never", "Connection: close")
        await it.waits.wait()
        await it.reload(it.settings([ADA]))
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        await end_of("route: end")


async def test_a_reload_with_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    async with behind(tmp_path, "bob") as it:
        await it.start(it.settings([BOB]))
        for wrong in (
            {**BOB, "htpasswd": str(tmp_path / "none")},
            {**BOB, "upstream": {"url": "https://127.0.0.1:9", "ca": str(tmp_path / "none")}},
        ):
            new = {"domains": "new.localhost:443", "upstream": "bob"}
            with pytest.raises(StartError, match="none"):
                await it.reload(it.settings([new, wrong]))
            assert await it.ask("bob.localhost") == (200, "bob")
            assert (await it.ask("new.localhost"))[0] == 421


async def test_who_is_away_has_the_waiting_page_and_nobody_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with behind(tmp_path, "ada") as it:
        away = {**BOB, "upstream": f"http://127.0.0.1:{free_port()}"}
        await it.start(it.settings([ADA, away]))
        page = ("Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html")
        status, head, content = await it.ask_whole("bob.localhost", "/", *page)
        assert (status, "Retry-After: 2" in head) == (503, True)
        assert "<html" in content
        assert await it.ask("lab.localhost", "/ada/", *page) == (200, "ada")
        assert (await it.ask("bob.localhost", "/.labgate/ready"))[0] == 503
    assert "get 503 until the Jupyter of bob.localhost/ answers" in caplog.text


async def test_what_is_stripped_and_what_is_not(tmp_path: Path) -> None:
    async with behind(tmp_path, "ada") as it:
        kept, stripped = ADA, {"path": "/app", "upstream": "ada", "strip_prefix": True}
        await it.start(it.settings([kept, stripped]))
        assert await it.ask("lab.localhost", "/app/x?y") == (200, "ada")
        assert await it.ask("lab.localhost", "/ada/x") == (200, "ada")
        heads = it.upstreams["ada"].heads
        assert b"GET /x?y HTTP/1.1" in heads
        assert b"X-Forwarded-Prefix: /app\r\n" in heads
        assert b"GET /ada/x HTTP/1.1" in heads


async def test_dot_segments_lead_to_no_other_route_and_out_of_no_prefix(tmp_path: Path) -> None:
    async with behind(tmp_path, "site", "ada", "bob") as it:
        site = {"upstream": {"url": it.url("site")}}
        tool = {"path": "/tool", "upstream": f"{it.url('ada')}/app/", "strip_prefix": True}
        await it.start(it.settings([], **site))
        it.labgate.connect_to(it.upstreams["site"].address)
        # Alone it gets every path as it was sent.
        assert await it.ask("lab.localhost", "/x/../%2e%2E/y") == (200, "site")
        assert b"GET /x/../%2e%2E/y HTTP/1.1" in it.upstreams["site"].heads
        await it.reload(it.settings([ADA, BOB, tool], **site))
        for target in (
            "/ada/../lab",
            "/ada/%2e%2e/tool/",
            "/x/../ada/lab",
            "/tool/../secret",
            "/tool/..%2fsecret",
            "/tool/%2e%2e/secret",
            "/tool%2f..%5csecret",
            "https://lab.localhost/tool/../secret",
        ):
            assert (await it.ask("lab.localhost", target))[0] == 400, target
        own = "Origin: https://lab.localhost"
        assert (await it.ask("lab.localhost", "/ada/../lab", own, *UPGRADE))[0] == 400
        assert b".." not in it.upstreams["ada"].heads
        assert b"secret" not in it.upstreams["ada"].heads
        assert await it.ask("lab.localhost", "/tool/a..b") == (200, "ada")
        assert b"GET /app/a..b HTTP/1.1" in it.upstreams["ada"].heads
        # Nobody else is at that name.
        assert await it.ask("bob.localhost", "/x/../y") == (200, "bob")
        assert b"GET /x/../y HTTP/1.1" in it.upstreams["bob"].heads


async def end_of(*names: str) -> None:
    """Wait for background tasks."""
    if running := [one for one in asyncio.all_tasks() if one.get_name() in names]:
        await asyncio.wait(running)


async def test_the_static_files_of_a_removed_route_are_removed(tmp_path: Path) -> None:
    async with behind(tmp_path, "ada", "bob") as it:
        before = it.settings([ADA, BOB])
        parent = static_files_folder(before)
        ada, bob = (parent / cache_folder_name(route) for route in served_routes(before))
        for folder in (ada, bob, parent / "of no route"):
            folder.mkdir(parents=True)
        os.utime(parent / "of no route", (0, 0))
        await it.start(before)
        await it.reload(it.settings([BOB]))
        await end_of("route: end", "static files of no route")
        assert list(parent.iterdir()) == [bob]
        # A route that comes back while it ends has the same folder.
        gone, back = [
            await it.labgate.prepare(it.settings(routes), access_log=False)
            for routes in ([], [BOB])
        ]
        gone()
        back()
        await end_of("route: end")
        assert list(parent.iterdir()) == [bob]


async def test_empty_segments_lead_past_no_route(tmp_path: Path) -> None:
    """An upstream that merges slashes would serve at ``//ada`` what the route ``/ada`` guards."""
    async with behind(tmp_path, "site", "ada", "bob") as it:
        site = {"upstream": {"url": it.url("site")}}
        guarded = {"path": "/ada", "upstream": it.url("site"), "allow": ["192.0.2.1"]}
        await it.start(it.settings([guarded], **site))
        it.labgate.connect_to(it.upstreams["site"].address)
        for target in ("/ada/x", "//ada/x", "/%2fada/x", "//ada", "https://lab.localhost//ada/x"):
            assert (await it.ask("lab.localhost", target))[0] in (403, 404), target
        assert b"ada" not in it.upstreams["site"].heads
        for target in ("//x/ada", "/x//ada", "//", "/%252Fada/x"):
            assert await it.ask("lab.localhost", target) == (200, "site"), target
            assert f"GET {target} HTTP/1.1".encode() in it.upstreams["site"].heads


async def test_an_upstream_over_tls_that_wants_a_certificate(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(authority))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*pair(tmp_path / "upstream", "127.0.0.1"))
    tls.load_verify_locations(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    cert, key = pair(tmp_path / "client", "labgate")
    async with upstream(named("ada"), context=tls) as secured, behind(tmp_path, "bob") as it:
        url = f"https://127.0.0.1:{secured.address.port}"
        shown = {"cert": str(cert), "key": str(key)}
        common = {"ca": str(authority)}
        routes: list[dict[str, Any]] = [
            {"path": "/ada", "upstream": {"url": url, **shown}},
            BOB,
        ]
        await it.start(it.settings(routes, upstream=common))
        assert await it.ask("lab.localhost", "/ada/") == (200, "ada")
        # Without it the upstream lets nobody in.
        await it.reload(it.settings([{"path": "/ada", "upstream": url}, BOB], upstream=common))
        assert (await it.ask("lab.localhost", "/ada/"))[0] == 503
        assert await it.ask("bob.localhost") == (200, "bob")


@pytest.mark.parametrize("server", ["labgate", "aiohttp"])
async def test_with_either_server_a_reload_adds_the_first_route(
    tmp_path: Path, server: str
) -> None:
    async with behind(tmp_path, "site", "ada") as it:
        site = {"upstream": {"url": it.url("site")}}

        def served(routes: list[dict[str, Any]]) -> Settings:
            made = it.settings(routes, **site)
            listen = made.listen.model_copy(update={"server": server})
            return made.model_copy(update={"listen": listen})

        await it.start(served([]))
        it.labgate.connect_to(it.upstreams["site"].address)
        assert await it.ask("lab.localhost", "/ada/") == (200, "site")
        await it.reload(served([ADA]))
        assert await it.ask("lab.localhost", "/ada/") == (200, "ada")


async def test_every_route_is_counted_by_its_name(tmp_path: Path) -> None:
    async with behind(tmp_path, "ada", "bob") as it:
        settings = it.settings([ADA, BOB])
        listen = settings.listen.model_copy(update={"metrics": "127.0.0.1:1"})
        settings = settings.model_copy(update={"listen": listen})
        await it.start(settings)
        await it.ask("lab.localhost", "/ada/")
        await it.ask("bob.localhost")
        await it.ask("bob.localhost")
        _, writer = await it.open_websocket("bob.localhost")
        counts, now = await it.labgate.measured()
        assert counts.routes["bob.localhost/"].requests == {"forwarded 2xx": 2}
        assert counts.routes["lab.localhost/ada/"].requests == {"forwarded 2xx": 1}
        assert counts.requests == {"forwarded 2xx": 3}
        assert (now.routes["bob.localhost/"].websockets, now.websockets) == (1, 1)
        writer.close()
        # Who is gone has no name any more; what was counted stays.
        await it.reload(settings.model_copy(update={"routes": settings.routes[:1]}))
        ending = [task for task in asyncio.all_tasks() if task.get_name() == "route: end"]
        assert ending
        await asyncio.gather(*ending)
        counts, _ = await it.labgate.measured()
        assert "bob.localhost/" not in counts.routes
        assert counts.requests["forwarded 2xx"] == 3


async def test_the_inspector_sees_all_of_them_and_those_that_come_later(tmp_path: Path) -> None:
    async with behind(tmp_path, "ada", "bob") as it:
        await it.start(it.settings([BOB]))
        it.labgate.inspector.switch(CaptureOptions())
        await it.ask("bob.localhost")
        await it.reload(it.settings([BOB, ADA]))
        await it.ask("lab.localhost", "/ada/")
        targets = [exchange.target for exchange in it.labgate.inspector.ring]
        assert sorted(targets) == ["/", "/ada/"]


async def test_a_reload_names_the_route_of_what_was_served_before(tmp_path: Path) -> None:
    """A request that is sent again is looked up by that name."""
    async with behind(tmp_path, "site", "ada") as it:
        site = {"upstream": {"url": it.url("site")}}
        await it.start(it.settings([], **site))
        it.labgate.connect_to(it.upstreams["site"].address)
        inspector = it.labgate.inspector
        inspector.switch(CaptureOptions())
        for routes in ([], [ADA], []):
            await it.reload(it.settings(routes, **site))
            await it.ask("lab.localhost", "/x")
        assert [one.route for one in inspector.ring] == ["", "lab.localhost/", ""]


async def test_a_fault_of_the_inspector_switches_it_off_for_all(tmp_path: Path) -> None:
    """Also when it comes from a route that was added later."""

    def faulty(_: Exchange) -> None:
        raise LookupError("on purpose")

    async with behind(tmp_path, "ada", "bob") as it:
        await it.start(it.settings([BOB]))
        inspector = it.labgate.inspector
        inspector.switch(CaptureOptions())
        await it.reload(it.settings([BOB, ADA]))
        stop = inspector.ring.listen(faulty)
        await it.ask("lab.localhost", "/ada/")
        stop()
        assert inspector.fault
        captured = len(inspector.ring)
        await it.ask("bob.localhost")
        assert len(inspector.ring) == captured


async def test_the_inspector_knows_the_route_of_each(tmp_path: Path) -> None:
    async with behind(tmp_path, "ada", "bob") as it:
        await it.start(it.settings([BOB, ADA | {"strip_prefix": True}]))
        inspector = it.labgate.inspector
        _, before = await it.open_websocket("bob.localhost", "/before")
        inspector.switch(CaptureOptions())
        _, opened = await it.open_websocket("bob.localhost", "/opened")
        await it.ask("lab.localhost", "/ada/lab?token=s3cret")
        await it.ask("bob.localhost", "/refused", "Origin: https://eve.localhost")
        await it.ask("eve.localhost")
        seen = {one.target: one for one in inspector.ring}
        for one in (before, opened):
            one.close()
    assert {target: one.route for target, one in seen.items()} == {
        "/before": "bob.localhost/",
        "/opened": "bob.localhost/",
        "/ada/lab?token=[redacted]": "lab.localhost/ada/",
        "/refused": "bob.localhost/",
        "/": "elsewhere",
    }
    stripped = seen["/ada/lab?token=[redacted]"]
    assert stripped.sent_up is not None
    assert stripped.sent_up.line == "GET /lab?token=[redacted] HTTP/1.1"
    assert stripped.received.line == "GET /ada/lab?token=[redacted] HTTP/1.1"


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "labgate")
