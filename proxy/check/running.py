"""The labgate that runs already: with this state folder, or with what `labgate up` would use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from proxy.admin.client import AdminClient, NotRunning
from proxy.check.verdict import Verdict, fault, remark
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.runtime.instance_lock import Claim, already_running, owner_of

SUBJECT = "labgate"


async def check_running(settings: Settings) -> tuple[dict[str, Any], Verdict | None]:
    """The status of the labgate that runs with this state folder; empty if none does."""
    try:
        async with AdminClient.connect(settings.state_folder) as client:
            status: dict[str, Any] = await client.get("status")
    except NotRunning:
        return {}, None
    except StartError as error:
        return {}, remark(SUBJECT, error)
    text = (
        f"Process {status['pid']} runs with this state folder since {status['since']}, and no "
        "second one can start beside it: `labgate reload` puts this configuration into force."
    )
    return status, remark(SUBJECT, text)


def check_claim(claim: Claim, running: int) -> Iterator[Verdict]:
    """Whether `labgate up` would be refused because another one has something.

    Args:
        claim: For what it wants.
        running: The process that is known to run with this state folder; 0 if none is.
    """
    owner = owner_of(claim)
    if owner is not None and not (running and owner.pid in (0, running)):
        yield fault(SUBJECT, already_running(claim, owner))
