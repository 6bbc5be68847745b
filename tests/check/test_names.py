from __future__ import annotations

from proxy.check.names import check_names
from proxy.check.verdict import Level, Verdict
from proxy.config.settings import Settings


async def checked(*domains: str) -> list[Verdict]:
    settings = Settings.model_validate({"site": {"domains": domains}})
    return [verdict async for verdict in check_names(settings)]


async def test_a_name_that_dns_does_not_know() -> None:
    """``invalid`` is reserved for that (RFC 6761 section 6.4)."""
    (verdict,) = await checked("lab.invalid")
    assert verdict.level is Level.FAULT
    assert verdict.text.startswith("DNS does not know lab.invalid: make an A or AAAA record")


async def test_localhost_and_addresses_need_no_dns() -> None:
    assert await checked("localhost", "127.0.0.1") == []
