"""Everything that ``labgate check`` looks at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from proxy.check.certificates import check_certificates
from proxy.check.files import check_files
from proxy.check.jupyter import check_jupyter
from proxy.check.names import check_names
from proxy.check.ports import check_ports
from proxy.check.running import check_claim, check_running
from proxy.check.verdict import Verdict
from proxy.config.settings import Settings
from proxy.runtime.instance_lock import folder_claim


async def check_everything(settings: Settings) -> AsyncIterator[Verdict]:
    """Look at everything that the configuration names, one after the other."""
    running, said = await check_running(settings)
    pid = running.get("pid", 0)
    if said is not None:
        yield said
    if not settings.upstream.url and settings.site_has_jupyter:
        for verdict in check_claim(folder_claim(settings.state_folder), pid):
            yield verdict
    for verdict in check_certificates(settings):
        yield verdict
    for verdict in check_ports(settings, _listening(running)):
        yield verdict
    for verdict in check_files(settings):
        yield verdict
    async for verdict in check_names(settings):
        yield verdict
    async for verdict in check_jupyter(settings, pid):
        yield verdict


def _listening(status: dict[str, Any]) -> list[str]:
    if not status:
        return []
    return [*status["listening"], status["metrics"]]
