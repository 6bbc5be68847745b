"""Asks as the page of a Jupyter would: same Origin, Referer and cookies as a browser sends.

Redirects are never followed, so secrets go to the address that was named and nowhere else.

Tested by tests/doctor/test_secrets.py and tests/doctor/test_servers.py.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from proxy import __version__

from .answer import Answer, set_cookies
from .open_sockets import OpenSockets
from .raw import FAILURES, exchange, in_words
from .secret_values import SecretValues
from .target import Target

USER_AGENT = f"Mozilla/5.0 (labgate doctor {__version__})"
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
KEPT_BYTES = 64 * 1024
"""How much of an answer's content is kept, unless more is wanted."""

SHOWN = ("Host", "Origin", "Referer", "X-Forwarded-Proto", "Accept-Encoding", "Content-Length")
"""Fields that are shown with their values; of others only the name is shown."""


class Browser:
    """The cookies of one visit, and the connections for it; an asynchronous context manager.

    What is shown of an answer, fields, failures and the content of errors, comes without the
    secrets in ``secrets``, whatever a server repeats.

    Args:
        target: The only address that is asked.
        tls: Trust; None for plain HTTP.
    """

    def __init__(self, target: Target, tls: ssl.SSLContext | None) -> None:
        self.target = target
        self.tls = tls
        self.cookies: dict[str, str] = {}
        self.secrets = SecretValues()
        self.answers: list[Answer] = []
        self.open_sockets = OpenSockets()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "Accept", "Content-Type"),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
            ),
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,
        )
        return self

    def _connector(self) -> aiohttp.BaseConnector:
        if self.target.socket:
            return aiohttp.UnixConnector(self.target.socket, limit=0)
        return aiohttp.TCPConnector(
            ssl=self.tls or True, limit=0, socket_factory=self.open_sockets.make
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()
        await self.open_sockets.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None, "it was not entered"
        return self._session

    @property
    def xsrf(self) -> str:
        """The value that JupyterLab reads from the cookie and sends in X-XSRFToken."""
        return self.cookies.get("_xsrf", "")

    def own(
        self, more: Mapping[str, str] | None = None, *, origin: str = "", cookies: bool = True
    ) -> dict[str, str]:
        """Fields of a request of Jupyter's own page."""
        fields = {"User-Agent": USER_AGENT, "Accept": "*/*"}
        if origin:
            fields["Origin"] = origin
        if cookies and self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={one}" for name, one in self.cookies.items())
        return fields | dict(more or {})

    async def get(
        self,
        path: str,
        more: Mapping[str, str] | None = None,
        *,
        cookies: bool = True,
        kept: int = KEPT_BYTES,
    ) -> Answer:
        """GET as a page does, so without Origin."""
        return await self.ask("GET", path, self.own(more, cookies=cookies), kept=kept)

    async def call(
        self, method: str, path: str, content: Any = None, *, origin: bool = True
    ) -> Answer:
        """A call of JupyterLab: JSON, Origin, the login cookie and the XSRF token.

        Args:
            method: Any but GET and HEAD.
            path: After base_url.
            content: What becomes JSON.
            origin: Whether Origin is sent.
        """
        body = None if content is None else json.dumps(content).encode()
        more = self.page_fields() | {"Content-Type": "application/json"}
        fields = self.own(more, origin=self.target.origin if origin else "")
        return await self.ask(method, path, fields, body)

    def page_fields(self) -> dict[str, str]:
        """What the page of JupyterLab adds to its calls."""
        return {"Referer": f"{self.target.url}lab", "X-XSRFToken": self.xsrf}

    async def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str],
        body: bytes | None = None,
        *,
        kept: int = KEPT_BYTES,
    ) -> Answer:
        """One request; cookies that are set are kept for the next ones."""
        sent = in_one_line(method, self.target.base + path, fields, len(body or b""))
        url = URL(self.target.origin + self.target.base + path, encoded=True)
        status, size_bytes, failure = 0, 0, ""
        head: tuple[tuple[str, str], ...] = ()
        content = bytearray()
        try:
            async with self.session.request(
                method, url, headers=fields, data=body, allow_redirects=False
            ) as response:
                status = response.status
                head = tuple((name, value) for name, value in response.headers.items())
                async for piece in response.content.iter_any():
                    size_bytes += len(piece)
                    content += piece[: max(0, kept - len(content))]
        except FAILURES as error:
            failure = in_words(error)
            if status:
                failure = f"the content ended early: {failure}"
        return self._seen(Answer(sent, status, head, bytes(content), size_bytes, failure))

    async def raw(self, head: bytes, sent: str, **how: Any) -> Answer:
        """Bytes that a browser would not send; see ``raw.exchange``."""
        return self._seen(await exchange(self.target, self.tls, head, sent, **how))

    async def socket(
        self, path: str, *, origin: str, protocols: Sequence[str] = ()
    ) -> tuple[Answer, aiohttp.ClientWebSocketResponse | None]:
        """A WebSocket handshake as a browser makes it; the socket, if it was upgraded.

        Large messages of the other side are not limited, and nothing is compressed.
        """
        fields = self.own(origin=origin)
        sent = in_one_line("GET", self.target.base + path, fields, upgrade=True)
        url = URL(self.target.origin + self.target.base + path, encoded=True)
        try:
            socket = await self.session.ws_connect(
                url,
                headers=fields,
                protocols=protocols,
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )
        except aiohttp.WSServerHandshakeError as error:
            head = tuple((error.headers or {}).items())
            refused = await self.get(path, upgrade_fields(origin))
            body = refused.body if refused.status == error.status else b""
            answer = Answer(sent, error.status, head, body)
            return self._seen(answer), None
        except FAILURES as error:
            failure = self.secrets.removed_from(in_words(error))
            return Answer(sent, failure=failure, secrets=self.secrets), None
        chosen = (("Sec-WebSocket-Protocol", socket.protocol),) if socket.protocol else ()
        return Answer(sent, 101, chosen), socket

    def _seen(self, answer: Answer) -> Answer:
        for name, (value, _) in set_cookies(answer).items():
            if value.strip('"'):
                self.cookies[name] = value
                self.secrets.add(value)
            else:
                self.cookies.pop(name, None)
        clean = replace(
            answer,
            fields=tuple((name, self.secrets.removed_from(one)) for name, one in answer.fields),
            body=self.secrets.removed(answer.body) if answer.status >= 400 else answer.body,
            failure=self.secrets.removed_from(answer.failure),
            secrets=self.secrets,
        )
        self.answers.append(clean)
        return clean


def upgrade_fields(origin: str) -> dict[str, str]:
    """The fields of a handshake, to ask for the content of a refusal."""
    fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # of RFC 6455 section 1.3
    }
    return fields | ({"Origin": origin} if origin else {})


def in_one_line(
    method: str, path: str, fields: Mapping[str, str], body_bytes: int = 0, *, upgrade: bool = False
) -> str:
    """A request in a line for people, without secrets."""
    parts = [f"{name}: {value}" for name, value in fields.items() if name in SHOWN]
    if upgrade:
        parts += ["Upgrade: websocket", "Connection: Upgrade"]
    parts += [name for name in ("Cookie", "X-XSRFToken", "Authorization") if fields.get(name)]
    if body_bytes >= 1024 * 1024:
        parts.append(f"{body_bytes:,} bytes")
    return f"{method} {path.partition('?')[0]}" + (f" with {', '.join(parts)}" if parts else "")


async def close(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Close a WebSocket, however it is."""
    with suppress(*FAILURES):
        await socket.close()
