"""Sends a captured request again, edited or not.

It goes to its own Jupyter, or to another one to which somebody agreed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from time import monotonic, time
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from proxy.admin.json_body import json_body
from proxy.inspector.captured_text import captured_fields
from proxy.inspector.exchange import INSPECTOR, READ_IN, CapturedHead, Exchange
from proxy.inspector.failure import explain_replayed
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.replay_front import REPLAY_SECONDS
from proxy.inspector.replay_request import (
    UNCONFIRMED_METHODS,
    AnotherRoute,
    Destination,
    ReplayError,
    ReplayRefused,
    ReplayRequest,
    parse_replay,
)
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.head import Arrival, Field, RequestHead
from proxy.rules.redaction import printable, redact_phrase, redact_target

log = logging.getLogger("labgate")

_ADDED_BY_AIOHTTP = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")

_OF_A_LOGIN = {"cookie", "authorization"}

ThroughRules = Callable[[RequestHead, bytes], Awaitable[int]]
"""Sends a request with this content as if a client had; gives the exchange's number.

Raises ``ReplayRefused`` if nobody takes it.
"""


@dataclass(frozen=True, slots=True)
class Replay:
    """Where requests are sent to.

    Attributes:
        inspector: Gets the new exchange.
        through_rules: For a request that the rules are to see.
        destination: Where a request belongs that came for this Host and this target.
        own_token: The token of the Jupyter that labgate launched; empty for
            another Jupyter.
    """

    inspector: Inspector
    through_rules: ThroughRules
    destination: Callable[[str, str], Destination]
    own_token: Callable[[], str]

    async def handle(self, request: web.Request, original: Exchange) -> web.Response:
        """``POST exchanges/NUMBER/replay``; the answer names the new exchange."""
        try:
            number = await self.send(await json_body(request), original)
        except AnotherRoute as error:
            return web.json_response({"error": str(error), "route": error.route}, status=409)
        except ReplayRefused as error:
            return web.json_response({"error": str(error)}, status=409)
        except ReplayError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"number": number})

    async def send(self, given: Any, original: Exchange) -> int:
        """Send what the page gave; returns the number of the new exchange.

        Raises:
            ReplayError: It is malformed.
            AnotherRoute: It leads to another route, to which nobody has agreed.
            ReplayRefused: It is not sent, with the reason.
        """
        wanted = parse_replay(given)
        if wanted.method not in UNCONFIRMED_METHODS and not wanted.confirmed:
            raise ReplayRefused(f"{wanted.method} may change something: confirm it")
        if self.inspector.options is None:
            raise ReplayRefused("the inspector is off: nothing would be seen")
        shown = f"{wanted.method} {printable(redact_target(wanted.target.encode('ascii')))}"
        log.info("replaying exchange %d: %s", original.number, shown)
        destination = self.destination(original.received.value("host"), wanted.target)
        if destination.route not in (original.route, wanted.route):
            raise _another_route(original, destination)
        arrival = _arrival(original, self._fields(wanted, destination))
        send = self._through_rules if wanted.through_rules else self._to_upstream
        return await send(wanted, destination, arrival)

    async def _through_rules(
        self, wanted: ReplayRequest, destination: Destination, arrival: Arrival
    ) -> int:
        """Send it as if a client on this machine had."""
        host = (b"Host", destination.authority.encode("ascii"))
        fields = (host, *self._fields(wanted, destination))
        if wanted.content:
            fields += ((b"Content-Length", b"%d" % len(wanted.content)),)
        method, target = wanted.method.encode("ascii"), wanted.target.encode("ascii")
        head = RequestHead(method, target, (1, 1), fields, arrival)
        return await self.through_rules(head, wanted.content)

    async def _to_upstream(
        self, wanted: ReplayRequest, destination: Destination, arrival: Arrival
    ) -> int:
        """Send it to its Jupyter as it is: no rule sees it."""
        address = destination.address
        if address is None:
            raise ReplayRefused(destination.nowhere)
        fields = self._fields(wanted, destination)
        wanted = replace(wanted, target=destination.target)
        text_fields = _text_fields(fields)
        sent = _head_of(wanted, address, fields, arrival)
        exchange, options = _exchange_of(wanted, sent), self.inspector.options
        exchange.route = destination.route
        assert options is not None, "it is on"
        # Of an error its reason is read, whether or not content is shown.
        content = ContentRecorder(options.max_content_bytes)
        if options.content and wanted.content:
            content_up = ContentRecorder(options.max_content_bytes)
            content_up.feed(wanted.content)
            exchange.content_up = content_up.captured(exchange.received)
        self.inspector.ring.add(exchange)
        began = monotonic()
        try:
            async with asyncio.timeout(REPLAY_SECONDS):
                await _send(wanted, address, text_fields, exchange, content)
            exchange.outcome = "replayed to Jupyter"
        except TimeoutError:
            exchange.outcome = "replayed to Jupyter: no answer in time"
        except (aiohttp.ClientError, OSError) as error:
            # Their messages hold the address, and octets that came: both may hold secrets.
            exchange.outcome = f"replayed to Jupyter: no whole answer ({type(error).__name__})"
        exchange.open = False
        exchange.times.last_octet = monotonic() - began
        if options.content and exchange.answered is not None:
            exchange.content_down = content.captured(exchange.answered)
        explain_replayed(exchange, sent, address, content.beginning)
        self.inspector.ring.update(exchange)
        return exchange.number

    def _fields(self, wanted: ReplayRequest, destination: Destination) -> tuple[Field, ...]:
        own = wanted.use_own_token and destination.launched
        token = wanted.token or (self.own_token() if own else "")
        if not token:
            return wanted.fields
        rest = tuple(field for field in wanted.fields if field[0].lower() != b"authorization")
        return (*rest, (b"Authorization", f"token {token}".encode("latin-1")))


def _arrival(original: Exchange, fields: tuple[Field, ...]) -> Arrival:
    """Of a request that is sent again with these fields."""
    had = {name.lower() for name, _ in original.received.fields}
    has = {name.lower().decode("ascii") for name, _ in fields}
    # An archive may have left the login out; so does what was itself sent again.
    unknown = original.outcome == READ_IN or original.peer == INSPECTOR
    left_out = (unknown or bool(had & _OF_A_LOGIN)) and not has & _OF_A_LOGIN
    return Arrival("127.0.0.1", sent_again=True, login_left_out=left_out)


def _another_route(original: Exchange, destination: Destination) -> AnotherRoute:
    where = "no route" if destination.address is None else "the only Jupyter"
    if destination.route:
        where = f"the route {destination.route}"
    if original.route:
        message = (
            f"This Host and target now lead to {where}, but the exchange is of {original.route}."
        )
    else:
        message = f"This Host and target lead to {where}, but the exchange is of no route."
    return AnotherRoute(message, destination.route)


def _text_fields(fields: tuple[Field, ...]) -> list[tuple[str, str]]:
    """The fields for aiohttp, which takes text and sends it as UTF-8.

    Raises:
        ReplayRefused: No text becomes these octets.
    """
    try:
        return [(name.decode("ascii"), value.decode("utf-8")) for name, value in fields]
    except UnicodeDecodeError:
        raise ReplayRefused(
            "a field holds octets that are no UTF-8: these are only sent through labgate's rules"
        ) from None


async def _send(
    wanted: ReplayRequest,
    address: UpstreamAddress,
    headers: list[tuple[str, str]],
    exchange: Exchange,
    content: ContentRecorder,
) -> None:
    connector: aiohttp.BaseConnector | None = None
    if address.path:
        connector = aiohttp.UnixConnector(address.path)
    elif address.tls is not None:
        connector = aiohttp.TCPConnector(ssl=address.tls.context())
    url = URL(f"{address.origin}{wanted.target}", encoded=True)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_ADDED_BY_AIOHTTP,
        ) as session,
        session.request(
            wanted.method,
            url,
            headers=headers,
            data=wanted.content or None,
            allow_redirects=False,
        ) as response,
    ):
        exchange.status = response.status
        reason = printable(redact_phrase((response.reason or "").encode("latin-1", "replace")))
        exchange.answered = exchange.sent_down = CapturedHead(
            f"HTTP/1.1 {response.status} {reason}".rstrip(), captured_fields(response.raw_headers)
        )
        async for piece in response.content.iter_any():
            exchange.bytes_down += len(piece)
            content.feed(piece)


def _exchange_of(wanted: ReplayRequest, sent: RequestHead) -> Exchange:
    target = printable(redact_target(sent.target), 4096)
    head = CapturedHead(f"{wanted.method} {target} HTTP/1.1", captured_fields(sent.fields))
    return Exchange(
        started=time(),
        peer=INSPECTOR,
        method=wanted.method,
        target=target,
        received=head,
        scheme="http",
        sent_up=head,
        bytes_up=len(wanted.content),
    )


def _head_of(
    wanted: ReplayRequest, address: UpstreamAddress, fields: tuple[Field, ...], arrival: Arrival
) -> RequestHead:
    host = (b"Host", address.origin.authority.encode("ascii"))
    method, target = wanted.method.encode("ascii"), wanted.target.encode("ascii")
    return RequestHead(method, target, (1, 1), (host, *fields), arrival)
