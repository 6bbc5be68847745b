"""A real JupyterHub whose proxy is labgate; nothing else in its configuration is changed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.conftest import require
from tests.e2e.programs import free_port, until

pytestmark = pytest.mark.deployment

START_SECONDS = 90.0
PASSWORD = "two users, one password"
NAME = "hub.example.test"
LABGATE = [sys.executable, "-m", "proxy", "hub"]

CONFIGURATION = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "{scheme}://127.0.0.1:{hub_port}"
c.ConfigurableHTTPProxy.api_url = "{scheme}://127.0.0.1:{api_port}"
c.ConfigurableHTTPProxy.command = {command}
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"ada"}}
c.JupyterHub.spawner_class = "simple"
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{
    "JUPYTER_PATH": "{prefix}/share/jupyter", "JUPYTER_CONFIG_PATH": "{prefix}/etc/jupyter",
}}
c.JupyterHub.last_activity_interval = 2
c.JupyterHub.services = [{{"name": "culler", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{
    "name": "culler", "services": ["culler"],
    "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
}}]
{more}
"""


@pytest.fixture(scope="session")
def jupyterhub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JupyterHub in an environment of its own, which finds this one's JupyterLab."""
    folder = tmp_path_factory.mktemp("jupyterhub")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    library = next((folder / "lib").glob("python*")) / "site-packages"
    (library / "lab.pth").write_text(sysconfig.get_path("purelib"))
    pip = [str(folder / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check"]
    installing = subprocess.run(
        [*pip, "install", "jupyterhub>=5,<7"], capture_output=True, check=False, timeout=300
    )
    require(installing.returncode == 0, "JupyterHub cannot be had", "pip install jupyterhub")
    return folder / "bin"


@dataclass
class Hub:
    """A running JupyterHub.

    Attributes:
        folder: Where it keeps what it writes.
        process: The Hub's own.
        port: The proxy's public one.
        token: A service's, for its API.
        by_host: Whether each user has a subdomain.
    """

    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    token: str
    by_host: bool = False

    def url(self, user: str = "") -> str:
        """Where the Hub is, or a user's server."""
        name = f"{user}.{NAME}" if user and self.by_host else NAME
        return f"http://{name}:{self.port}"

    @property
    def proxy_pid(self) -> int:
        return int((self.folder / "jupyterhub-proxy.pid").read_text())


@contextmanager
def running_hub(
    programs: Path, folder: Path, more: str = "", *, by_host: bool = False, tls: bool = False
) -> Iterator[Hub]:
    port, token = free_port(), uuid.uuid4().hex
    if by_host:
        more += f'\nc.JupyterHub.subdomain_host = "http://{NAME}:{port}"'
    if tls:
        more += "\nc.JupyterHub.internal_ssl = True"
        # Servers have working folders of their own, and get these names as they are.
        more += f'\nc.JupyterHub.internal_certs_location = "{folder}/ssl"'
    (folder / "jupyterhub_config.py").write_text(
        CONFIGURATION.format(
            port=port,
            hub_port=free_port(),
            api_port=free_port(),
            scheme="https" if tls else "http",
            command=LABGATE,
            prefix=sys.prefix,
            password=PASSWORD,
            token=token,
            more=more,
        )
    )
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent.parent)
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "jupyterhub"], cwd=folder, env=environment, stdout=log, stderr=log
        )
    hub = Hub(folder, process, port, token, by_host)
    try:

        def said() -> str:
            return (folder / "hub.log").read_text()

        until(
            lambda: "JupyterHub is now running" in said() or process.poll() is not None,
            said,
            START_SECONDS,
        )
        assert process.poll() is None, said()
        yield hub
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)
        print((folder / "hub.log").read_text()[-6000:])


class ToThisMachine(AbstractResolver):
    """Every name is this machine's."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


class User:
    """A browser of a user: cookies, redirects, and the fields that a page's requests have."""

    def __init__(self, hub: Hub, name: str, session: aiohttp.ClientSession) -> None:
        self.hub, self.name, self.session = hub, name, session
        self.server = f"{hub.url(name)}/user/{name}"

    async def log_in(self) -> None:
        login = f"{self.hub.url()}/hub/login"
        async with self.session.get(login) as page:
            assert page.status == 200, await page.text()
        form = {"username": self.name, "password": PASSWORD, "_xsrf": self.xsrf(login)}
        async with self.session.post(login, data=form) as answer:
            assert answer.status == 200, await answer.text()

    async def start(self) -> None:
        """Start the server and wait until its page is there."""
        async with asyncio.timeout(START_SECONDS):
            async with self.session.get(f"{self.hub.url()}/hub/spawn/{self.name}") as answer:
                assert answer.status == 200, await answer.text()
            while True:
                async with self.session.get(f"{self.server}/lab") as page:
                    if page.status == 200 and page.url.path.startswith(f"/user/{self.name}/lab"):
                        return
                await asyncio.sleep(0.2)

    async def new_kernel(self) -> str:
        fields = {"X-XSRFToken": self.xsrf(f"{self.server}/"), "Origin": self.hub.url(self.name)}
        async with self.session.post(f"{self.server}/api/kernels", headers=fields) as made:
            assert made.status == 201, await made.text()
            return str((await made.json())["id"])

    @asynccontextmanager
    async def channels(self, kernel: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        url = f"{self.server}/api/kernels/{kernel}/channels"
        origin = self.hub.url(self.name)
        async with self.session.ws_connect(url, origin=origin) as channels:
            yield channels

    def xsrf(self, url: str) -> str:
        cookies = self.session.cookie_jar.filter_cookies(aiohttp.client.URL(url))  # type: ignore[attr-defined]
        return str(cookies["_xsrf"].value)


@asynccontextmanager
async def user(hub: Hub, name: str) -> AsyncIterator[User]:
    connector = aiohttp.TCPConnector(resolver=ToThisMachine())
    async with aiohttp.ClientSession(
        connector=connector, headers={"Accept": "text/html,*/*"}
    ) as session:
        yield User(hub, name, session)


async def run(channels: aiohttp.ClientWebSocketResponse, code: str) -> str:
    """What a cell prints."""
    identity = uuid.uuid4().hex
    header = {"msg_id": identity, "msg_type": "execute_request", "version": "5.3"}
    content = {"code": code, "silent": False}
    await channels.send_json(
        {
            "header": {**header, "username": "", "session": identity},
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
            "buffers": [],
        }
    )
    async with asyncio.timeout(START_SECONDS):
        while True:
            message: dict[str, Any] = json.loads(await channels.receive_str())
            if message["parent_header"].get("msg_id") != identity:
                continue
            if message["msg_type"] == "stream":
                return str(message["content"]["text"])


async def two_users_work(hub: Hub) -> None:
    async with user(hub, "ada") as ada, user(hub, "bob") as bob:
        for one in (ada, bob):
            await one.log_in()
            await one.start()
            kernel = await one.new_kernel()
            async with one.channels(kernel) as channels:
                assert await run(channels, f"print('{one.name}', 6 * 7)") == f"{one.name} 42\n"
        # Nobody is let into another's server, whose routes are the same proxy's.
        async with bob.session.get(f"{ada.server}/api/contents", allow_redirects=True) as foreign:
            assert foreign.status in (403, 404)


@pytest.mark.parametrize(
    ("by_host", "tls"), [(False, False), (True, False), (False, True)], ids=["path", "host", "tls"]
)
async def test_two_users(jupyterhub: Path, tmp_path: Path, by_host: bool, tls: bool) -> None:
    with running_hub(jupyterhub, tmp_path, by_host=by_host, tls=tls) as hub:
        await two_users_work(hub)


async def test_the_proxy_restarts_under_them(jupyterhub: Path, tmp_path: Path) -> None:
    storage = json.dumps([*LABGATE, "--storage", str(tmp_path / "routes")])
    more = f"c.ConfigurableHTTPProxy.command = {storage}\n"
    more += "c.ConfigurableHTTPProxy.check_running_interval = 1"
    with running_hub(jupyterhub, tmp_path, more) as hub:
        async with user(hub, "ada") as ada:
            await ada.log_in()
            await ada.start()
            kernel = await ada.new_kernel()
            async with ada.channels(kernel) as channels:
                assert await run(channels, "x = 41; print(x)") == "41\n"
                before = hub.proxy_pid
                os.kill(before, signal.SIGTERM)
                # Cut without a close frame, as JupyterLab wants it to connect again.
                async with asyncio.timeout(START_SECONDS):
                    while (ended := await channels.receive()).type is aiohttp.WSMsgType.TEXT:
                        pass
                assert ended.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            async with asyncio.timeout(START_SECONDS):
                while True:
                    try:
                        async with ada.channels(kernel) as channels:
                            assert await run(channels, "print(x + 1)") == "42\n"
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.2)
            assert hub.proxy_pid != before


async def test_a_hub_culls_by_last_activity(jupyterhub: Path, tmp_path: Path) -> None:
    """What ``jupyterhub-idle-culler`` does, with the activity that the proxy has told the Hub."""
    with running_hub(jupyterhub, tmp_path) as hub:
        api = f"{hub.url()}/hub/api"
        fields = {"Authorization": f"token {hub.token}"}
        async with user(hub, "ada") as ada, user(hub, "culler") as culler:
            await ada.log_in()
            await ada.start()

            async def activity() -> str:
                async with culler.session.get(f"{api}/users/ada", headers=fields) as answer:
                    assert answer.status == 200, await answer.text()
                    return str((await answer.json())["servers"][""]["last_activity"])

            before = await activity()
            async with ada.session.get(f"{ada.server}/api/status") as used:
                assert used.status == 200
            async with asyncio.timeout(START_SECONDS):
                while True:
                    if await activity() > before:
                        break
                    await asyncio.sleep(0.5)
            stop = f"{api}/users/ada/server"
            async with culler.session.delete(stop, headers=fields) as culled:
                assert culled.status in (202, 204), await culled.text()
            async with asyncio.timeout(START_SECONDS):
                while True:
                    async with ada.session.get(f"{ada.server}/api/status") as gone:
                        if gone.status in (404, 424, 503):
                            break
                    await asyncio.sleep(0.2)
