"""Somebody with a browser, at a proxy in front of Jupyter."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import dataclass, field
from http.cookies import SimpleCookie

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.doctor.proxy_program import Proxy
from tests.e2e.programs import TOKEN


@dataclass
class Visitor:
    """Somebody who is logged in; every request carries the cookies, as in a browser."""

    proxy: Proxy
    cookies: SimpleCookie = field(default_factory=SimpleCookie)

    def log_in(self) -> None:
        """Open the address with the token."""
        answer = self.answer("GET", f"/lab?token={TOKEN}")
        for value in answer.headers.get_all("Set-Cookie", []):
            self.cookies.load(value)

    @property
    def own(self) -> str:
        return self.proxy.url.rstrip("/")

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={morsel.value}" for name, morsel in self.cookies.items())

    def ask(self, method: str, target: str, body: str | None = None, **fields: str) -> int:
        xsrf = {"X-XSRFToken": self.cookies["_xsrf"].value} if body else {}
        return self.answer(method, target, body, **xsrf, Cookie=self.cookie, **fields).status

    def answer(
        self, method: str, target: str, body: str | None = None, **fields: str
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(
            "localhost", self.proxy.port, context=trusting(self.proxy), timeout=60
        )
        connection.request(method, target, body, fields)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response

    def websocket(self, origin: str) -> int:
        try:
            with connect(
                f"wss://localhost:{self.proxy.port}/api/events/subscribe",
                ssl=trusting(self.proxy),
                origin=Origin(origin),
                additional_headers={"Cookie": self.cookie},
            ):
                return 101
        except InvalidStatus as refused:
            return refused.response.status_code


def trusting(proxy: Proxy) -> ssl.SSLContext:
    """TLS 1.2: see ``Labgate.trusting_threads``."""
    context = ssl.create_default_context(cafile=str(proxy.certificates.authority))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
