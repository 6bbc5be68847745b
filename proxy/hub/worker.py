"""A worker of a hub's proxy: serves clients, by the routes of the process that has the API.

Tested by tests/hub/test_workers.py.
"""

from __future__ import annotations

import pickle
from base64 import b64decode, b64encode
from dataclasses import asdict, fields, is_dataclass, replace
from io import BytesIO
from typing import Any, NoReturn

from proxy.errors import StartError
from proxy.hub.application import HubApplication
from proxy.hub.options import HubOptions
from proxy.hub.route_table import RouteTable
from proxy.hub.shared_routes import Following, SharedRoutes
from proxy.inspector.ring import WORKER_RING_OCTETS, Ring
from proxy.net.ports import Ports
from proxy.runtime.last_problems import keep_last_problems
from proxy.runtime.logs import log_to_stderr
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn
from proxy.workers.captures import CaptureInWorker
from proxy.workers.channel import Channel, WorkerMessage
from proxy.workers.sockets import descriptors, inherited_ports
from proxy.workers.supervisor_messages import SupervisorMessages
from proxy.workers.worker_program import run_worker

REPORT_SECONDS = 2.0
"""A killed worker loses the counts of at most this long."""


def setup_message(options: HubOptions, ports: Ports, others: Ports) -> WorkerMessage:
    """The first message to a worker, without the secrets of the API, which it does not serve.

    Args:
        options: What the command line says.
        ports: Its own.
        others: What the other workers have on the same ports.
    """
    own = replace(options, token="", api_tls=None)
    encoded = b64encode(_pickled(own)).decode("ascii")
    return {"options": encoded, "ports": descriptors(ports, others)}


def main(descriptor: int) -> NoReturn:
    """Serve until the process with the API sends a stop or exits, then end the process.

    Args:
        descriptor: The worker's end of the channel.
    """
    run_worker(descriptor, _work)


async def _work(channel: Channel) -> int:
    setup = await channel.receive()
    if setup is None:
        return 0
    # From the process that started this one, over a socket that nobody else has.
    options: HubOptions = pickle.loads(b64decode(setup["options"]))  # noqa: S301
    log_to_stderr(options.log_level, options.log_format)
    keep_last_problems()
    ports = inherited_ports(**setup["ports"])
    return await _Worker(options, ports, channel).run()


class _Worker:
    def __init__(self, options: HubOptions, ports: Ports, channel: Channel) -> None:
        self._channel = channel
        self._table = RouteTable(options.client_tls, by_host=options.host_routing)
        ring = Ring(max_octets=WORKER_RING_OCTETS, relays=True)
        self._app = app = HubApplication(options, self._table, lambda: ports, ring)
        self._capture = CaptureInWorker(app.inspector, lambda: app.dispatch, channel.send)
        routes = SharedRoutes(self._table, self._app.measured)
        self._following = Following(routes, channel.send)
        self._messages = SupervisorMessages(
            channel, self._take, app.leave_to_others, app.wait_for_clients
        )

    async def run(self) -> int:
        self._messages.handle_sigterm()
        try:
            await self._app.prepare()
            if not await self._take_routes():
                return 0
            await self._app.open()
        except StartError as error:
            self._channel.send({"failed": str(error)})
            await self._channel.flush()
            return error.exit_code
        self._channel.send({"ready": True})
        reporting = spawn(run_periodically([self._following.report], REPORT_SECONDS), "activity")
        receiving = spawn(self._messages.receive(), "supervisor")
        await self._messages.stop.wait()
        await self._app.stop(self._messages.force)
        reporting.cancel()
        receiving.cancel()
        # Otherwise the counts since the last report would be lost.
        await self._following.report()
        await self._channel.flush()
        return 0

    async def _take_routes(self) -> bool:
        """Ask for all routes, as late as possible; False if it is not to serve any more."""
        self._channel.send({"wants": "routes"})
        while (message := await self._channel.receive()) is not None:
            if "routes" in message:
                self._table.take(message["routes"])
                return True
            if "stop" in message or "leave" in message:
                break
            await self._messages.take(message)
        return False

    async def _take(self, message: WorkerMessage) -> None:
        match message:
            case {"report": _}:
                self._channel.send({"report": asdict(self._app.report())})
            case {"vacant": descriptors}:
                await self._app.accept_for_others(descriptors)
            case {"reload": _}:
                self._app.reload()
            case _:
                if not self._capture.take(message):
                    await self._following.take(message)


class _NamedFields(pickle.Pickler):
    """Writes dataclasses and named tuples by the names of their fields.

    Pickle writes tuples, and dataclasses with slots, by position: a worker that is started from the
    files of another version would take one option for another.
    """

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type):
            return NotImplemented
        if is_dataclass(value):
            return _made, (
                type(value),
                {one.name: getattr(value, one.name) for one in fields(value)},
            )
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            return _made, (type(value), value._asdict())
        return NotImplemented


def _made(kind: type[Any], named: dict[str, Any]) -> Any:
    return kind(**named)


def _pickled(options: HubOptions) -> bytes:
    written = BytesIO()
    _NamedFields(written).dump(options)
    return written.getvalue()
