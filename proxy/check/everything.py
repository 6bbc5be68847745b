"""Everything that ``labgate check`` looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from proxy.admin.client import AdminClient, NotRunning
from proxy.check.certificates import check_certificates
from proxy.check.files import check_files
from proxy.check.jupyter import check_jupyter
from proxy.check.names import check_names
from proxy.check.ports import check_ports
from proxy.check.verdict import Verdict, remark
from proxy.config.settings import Settings
from proxy.errors import StartError


async def check_everything(settings: Settings) -> AsyncIterator[Verdict]:
    """Look at everything that the configuration names, one after the other."""
    running, said = await _running(settings)
    if said is not None:
        yield said
    for verdict in check_certificates(settings):
        yield verdict
    for verdict in check_ports(settings, _listening(running)):
        yield verdict
    for verdict in check_files(settings):
        yield verdict
    async for verdict in check_names(settings):
        yield verdict
    async for verdict in check_jupyter(settings):
        yield verdict


async def _running(settings: Settings) -> tuple[dict[str, Any], Verdict | None]:
    """The status of the labgate that runs with this state folder, if one does."""
    try:
        async with AdminClient.connect(settings.state_folder) as client:
            status: dict[str, Any] = await client.get("status")
    except NotRunning:
        return {}, None
    except StartError as error:
        return {}, remark("labgate", error)
    text = f"Process {status['pid']} runs with this state folder since {status['since']}."
    return status, Verdict("labgate", text)


def _listening(status: dict[str, Any]) -> list[str]:
    if not status:
        return []
    return [*status["listening"], status["metrics"]]
