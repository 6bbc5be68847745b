"""The API behind the page: the list, one exchange, archives, on and off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from proxy.admin.json_body import bad_request, json_body
from proxy.admin.protection import SESSION
from proxy.inspector.curl import missing_content, missing_from_curl, to_curl
from proxy.inspector.exchange import READ_IN, Exchange
from proxy.inspector.filters import Filter, FilterError, parse_filter
from proxy.inspector.har import HarError, from_har, to_har
from proxy.inspector.inspector import Inspector
from proxy.inspector.mends import archived_facts, cause_and_mends
from proxy.inspector.recorder import CaptureOptions

MAX_LISTED_EXCHANGES = 10_000


@dataclass(frozen=True, slots=True)
class ExchangesApi:
    """Handlers over one inspector.

    Attributes:
        inspector: Captures, and holds what was captured.
        about: Facts for the page's head: what is proxied, in which mode.
        facts: What is filled into the lines that mend something (``inspector.mends``), for the
            exchanges of a route; its name is empty where there is only one.
        no_lines_for: Servers that are not configured by such lines.
    """

    inspector: Inspector
    about: Callable[[], dict[str, Any]]
    facts: Callable[[str], Mapping[str, str]]
    no_lines_for: Collection[str] = ()

    async def state(self, request: web.Request) -> web.Response:
        """``GET state``: what is on, how much is held, and the page's token."""
        session = request.get(SESSION)
        return web.json_response(
            {
                **self.capture_state(),
                "about": self.about(),
                "csrf": session.csrf_token if session is not None else "",
            }
        )

    async def switch(self, request: web.Request) -> web.Response:
        """``POST state``: ``{"on": …, "content": …}``."""
        wanted = await json_body(request)
        if not isinstance(wanted, Mapping):
            raise bad_request("the state is an object with on and content")
        on, content = wanted.get("on", True), wanted.get("content", False)
        if not isinstance(on, bool) or not isinstance(content, bool):
            raise bad_request("on and content are true or false")
        self.inspector.switch(CaptureOptions(content=content) if on else None)
        await self.inspector.in_force()
        return web.json_response(self.capture_state())

    async def list(self, request: web.Request) -> web.Response:
        """``GET exchanges?filter=…&after=NUMBER``: summaries, the oldest first."""
        matches = filter_of(request)
        try:
            after = int(request.query.get("after", "0"))
        except ValueError:
            raise bad_request("after is the number of an exchange") from None
        found = [
            exchange.summary()
            for exchange in self.inspector.ring
            if exchange.number > after and matches(exchange)
        ]
        return web.json_response(
            {"exchanges": found[-MAX_LISTED_EXCHANGES:], "dropped": self.inspector.ring.dropped}
        )

    async def one(self, request: web.Request) -> web.Response:
        """``GET exchanges/NUMBER``: all that is known of one."""
        exchange = self.exchange_of(request)
        archived = exchange.outcome == READ_IN
        facts = archived_facts(exchange) if archived else self.facts(exchange.route)
        return web.json_response(
            {
                **exchange.details(),
                **cause_and_mends(exchange, facts, self.no_lines_for),
                "curl": to_curl(exchange),
                "curl_lacks": missing_from_curl(exchange),
                "content_lacks": missing_content(exchange),
            }
        )

    async def clear(self, _request: web.Request) -> web.Response:
        """``POST clear``: forget everything."""
        self.inspector.ring.clear()
        return web.json_response(self.capture_state())

    async def export(self, request: web.Request) -> web.Response:
        """``GET har?filter=…``: an HTTP Archive of the list."""
        matches = filter_of(request)
        chosen = [one for one in self.inspector.ring if matches(one)]
        return web.Response(
            text=await asyncio.to_thread(_archive_of, chosen),
            content_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="labgate.har"'},
        )

    async def read_in(self, request: web.Request) -> web.Response:
        """``POST har``: put an archive's exchanges into the list."""
        try:
            exchanges = await asyncio.to_thread(_exchanges_in, await request.text())
        except HarError as error:
            raise bad_request(str(error)) from None
        except (ValueError, RecursionError):
            raise bad_request("this is no JSON") from None
        for exchange in exchanges:
            self.inspector.ring.add(exchange)
        return web.json_response({"read": len(exchanges)})

    def exchange_of(self, request: web.Request) -> Exchange:
        """The exchange that the address names.

        Raises:
            web.HTTPNotFound: The ring has discarded it, or it never existed.
        """
        number = int(request.match_info["number"])
        exchange = self.inspector.ring.get(number)
        if exchange is None:
            numbers = [one.number for one in self.inspector.ring]
            held = f"{min(numbers)} to {max(numbers)}" if numbers else "none"
            raise web.HTTPNotFound(
                text=f"The inspector does not hold exchange {number}; it holds {held}.\n"
            )
        return exchange

    def capture_state(self) -> dict[str, Any]:
        """What is on, what ended by itself, and how much is held."""
        options, ring = self.inspector.options, self.inspector.ring
        return {
            "on": options is not None,
            "content": options is not None and options.content,
            "fault": self.inspector.fault,
            "held": len(ring),
            "octets": ring.octets,
            "dropped": ring.dropped,
            "run": ring.run,
        }


def filter_of(request: web.Request) -> Filter:
    """The filter in the query.

    Raises:
        web.HTTPBadRequest: It cannot be read.
    """
    try:
        return parse_filter(request.query.get("filter", ""))
    except FilterError as error:
        raise bad_request(str(error)) from None


# These two take seconds for a large archive, and run in a thread: the proxying goes on meanwhile.


def _archive_of(exchanges: Sequence[Exchange]) -> str:
    return json.dumps(to_har(exchanges), indent=1)


def _exchanges_in(archive: str) -> Sequence[Exchange]:
    return from_har(json.loads(archive))
