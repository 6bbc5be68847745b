"""A session that is over at one worker is over at all, and the logout waits until it is kept."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from proxy.access.revoked_sessions import Revocation
from proxy.access.session import Session
from proxy.workers.shared_logout import SharedRevokedSessions

ENDED = Revocation("böb", "0123456789abcdef", 1_800_000_000)
SESSION = Session("böb", ENDED.at - 5, ENDED.session)


async def test_it_waits_until_the_supervisor_has_stored_it() -> None:
    sent: list[str] = []
    first = SharedRevokedSessions([], lambda revocation: sent.append(json.dumps(revocation)))
    second = SharedRevokedSessions([], lambda _: None)
    ending = asyncio.ensure_future(first.revoke(ENDED))
    await asyncio.sleep(0)
    assert SESSION in first
    assert not ending.done()
    (message,) = sent
    update: list[Any] = json.loads(message)
    second.apply(update)
    assert SESSION in second
    first.apply(update)
    await ending


async def test_what_was_kept_before_is_over() -> None:
    assert SESSION in SharedRevokedSessions([ENDED], lambda _: None)
