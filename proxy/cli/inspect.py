"""``labgate inspect``: a running labgate's exchanges, or a bench of its own.

Tested by tests/e2e/test_inspect.py.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.text import Text

from proxy.admin.client import AdminClient, NotRunning
from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private
from proxy.app import Application
from proxy.cli.administration import start_admin
from proxy.cli.upstream_fault import upstream_fault
from proxy.config.settings import Settings
from proxy.inspector.rows import escaped, json_line, row, went_well, whole, why
from proxy.net.ports import Ports, bind
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime import ending_signals
from proxy.runtime.tasks import spawn
from proxy.service.instance import Instance
from proxy.service.live_configuration import LiveConfiguration
from proxy.service.state_folder import instance_folder


@dataclass(frozen=True, slots=True)
class InspectOptions:
    """What was asked for.

    Attributes:
        number: Show this exchange, whole, and end; None for all as they come.
        filter: Which ones.
        json: One exchange a line, whole, for programs.
        content: Capture content too.
        off: Switch the capture off, and end.
        bench: Serve an upstream instead of attaching to a running labgate.
    """

    number: int | None
    filter: str
    json: bool
    content: bool
    off: bool
    bench: bool


async def attach(settings: Settings, options: InspectOptions) -> int:
    """Show the exchanges of the labgate with the same state folder.

    Raises:
        StartError: None runs, or it refuses.
    """
    async with AdminClient.connect(instance_folder(settings)) as client:
        if options.off:
            await client.post("state", {"on": False})
            print("The capture is off.")
        elif options.number is not None:
            _print_whole(await client.get(f"exchanges/{options.number}"), options)
        else:
            before = await client.get("state")
            await follow(client, options, before, capture="content" if options.content else "heads")
            print("labgate has stopped.", file=sys.stderr)
    return 0


async def follow(
    client: AdminClient, options: InspectOptions, before: dict[str, Any], **query: str
) -> None:
    """Print every exchange that ends, and every WebSocket that opens, until labgate stops.

    Args:
        client: Of the labgate.
        options: What is shown.
        before: The state until then.
        query: What is captured meanwhile; see ``AdminClient.live``.
    """
    console = _console(sys.stdout)
    reasons: set[str] = set()
    open_sockets: set[int] = set()
    await client.get("exchanges", filter=options.filter, after="999999999")  # a bad one ends here
    capture: _CaptureState | None = None
    async for message in client.live(**query):
        if capture is None:
            # From now on nothing is missed.
            capture = _CaptureState()
            await _introduce(client, options, before)
        batch = message["exchanges"]
        if "state" in message and (said := capture.changed(message["state"])):
            print(said, file=sys.stderr, flush=True)
        fresh = {one["number"] for one in batch if not one["open"] or one["websocket"]}
        fresh -= open_sockets
        open_sockets -= {one["number"] for one in batch if not one["open"]}
        open_sockets |= {one["number"] for one in batch if one["open"] and one["websocket"]}
        if not fresh:
            continue
        matching = await client.get("exchanges", filter=options.filter, after=str(min(fresh) - 1))
        for summary in matching["exchanges"]:
            if summary["number"] in fresh:
                await _print_one(client, summary, options, console, reasons)


async def _print_one(
    client: AdminClient,
    summary: dict[str, Any],
    options: InspectOptions,
    console: Console,
    reasons: set[str],
) -> None:
    explained = summary["rule"] or summary["symptom"]
    if options.json or explained:
        exchange = await client.get(f"exchanges/{summary['number']}")
        if options.json:
            print(json_line(exchange), flush=True)
            return
        # Of what went well the same reason, as a Host that has no name here, is said only once.
        reason = exchange["reason"]
        news = went_well(exchange) and len(reasons) < _MAX_REASONS and reason not in reasons
        if news:
            reasons.add(reason)
        _lines(console, [row(summary), *why(exchange, all_of_it=news)])
        return
    _lines(console, [row(summary)])


_MAX_REASONS = 20


def _print_whole(exchange: dict[str, Any], options: InspectOptions) -> None:
    if options.json:
        print(json_line(exchange))
    else:
        curl = [Text(f"  {escaped(line)}", "dim") for line in exchange["curl"].split("\n")]
        lacks = [Text(f"  {exchange['curl_lacks']}", "yellow")] if exchange["curl_lacks"] else []
        _lines(_console(sys.stdout), [*whole(exchange), *curl, *lacks])


class _CaptureState:
    """Whether the capture is on, as this terminal was told last."""

    def __init__(self) -> None:
        self._on, self._fault = True, ""

    def changed(self, state: dict[str, Any]) -> str:
        """What to say of a state; empty if nothing is new."""
        before, self._on = self._on, state["on"]
        fault, self._fault = self._fault, state["fault"]
        if state["fault"] and state["fault"] != fault:
            return f"labgate: {state['fault']} labgate's log says more."
        if before and not self._on:
            return (
                "labgate: the capture was switched off, on the page or with --off. Nothing is "
                "shown until it is on again."
            )
        return "labgate: the capture is on again." if self._on and not before else ""


async def _introduce(client: AdminClient, options: InspectOptions, before: Any) -> None:
    about = before["about"]
    page = await client.post("page")
    end = "" if before["on"] else ", and switches the capture off again"
    shown = [
        ("Inspecting", f"{about['site']} → {about['upstream']} (process {about['pid']})"),
        ("Page", page["address"]),
        ("Details", "labgate inspect NUMBER"),
        ("End", f"Ctrl-C ends this; labgate goes on{end}"),
    ]
    if about["observe"]:
        shown[0] = ("Observing", f"{about['upstream']}: open {about['listens']} instead of it")
        shown[2:] = [("End", "Ctrl-C")]
    if options.filter:
        shown.insert(2, ("Filter", options.filter))
    introduction = _console(sys.stderr)
    _lines(introduction, [Text(f"{name:<11} {value}") for name, value in shown])


def _lines(console: Console, lines: Sequence[Text]) -> None:
    # Never folded: people copy addresses, and a row is a line for grep.
    for line in lines:
        console.print(line, soft_wrap=True)


def _console(stream: Any) -> Console:
    return Console(file=stream, highlight=False, markup=False, emoji=False)


async def inspect(settings: Settings, options: InspectOptions) -> int:
    """Attach to a running labgate, or with an upstream start a bench; Ctrl-C is no error.

    Raises:
        StartError: No labgate runs, or a port is not available.
    """
    task = asyncio.current_task()
    assert task is not None, "asyncio.Runner made one"
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end() -> None:
        # Once: a second Ctrl-C must not keep the first from ending what was begun.
        ending_signals.ignore(signals)
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, end)
    with suppress(asyncio.CancelledError):
        if options.bench:
            return await bench(settings, options)
        try:
            return await attach(settings, options)
        except NotRunning as error:
            raise NotRunning(
                f"{error} To observe a Jupyter without one: "
                "`labgate inspect --upstream http://127.0.0.1:8888`."
            ) from None
    return 0


def _ports(settings: Settings) -> Ports:
    """The bench's port on every address of loopback that there is."""
    return Ports(bind(settings.bind, settings.http_port, "--port", optional=("::1",)), [])


async def _say_fault(address: UpstreamAddress) -> None:
    """Say what is wrong with the upstream; it may be mended while the bench runs."""
    if said := await upstream_fault(address):
        print(f"labgate: {said}", file=sys.stderr, flush=True)


async def bench(settings: Settings, options: InspectOptions) -> int:
    """Serve an upstream on loopback in plain HTTP, observing, and show every exchange.

    Raises:
        StartError: A port is not available, or the CA's file holds no certificate.
    """
    with TemporaryDirectory(prefix="labgate-") as folder:
        state = settings.state.model_copy(update={"folder": Path(folder)})
        settings = settings.model_copy(update={"state": state})
        app = Application(settings, access_log=False)
        address = settings.upstream.address
        if address.tls is not None:
            address.tls.check()
        app.connect_to(address)
        admin = probe = None
        try:
            await app.start(_ports(settings))
            probe = spawn(_say_fault(address), "the probe of the upstream")
            configuration = LiveConfiguration(settings, lambda: settings, "inspect")
            instance = Instance(configuration, app, datetime.now(UTC))
            listening = bind_private(socket_path(settings.state_folder))
            admin = await start_admin(configuration, app, instance, listening)
            async with AdminClient.connect(settings.state_folder) as client:
                await follow(client, options, await client.get("state"))
        finally:
            if probe is not None:
                probe.cancel()
            if admin is not None:
                await admin.stop()
            await app.stop()
    return 0
