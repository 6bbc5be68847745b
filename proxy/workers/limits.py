"""Divides the limits of all workers between them."""

from __future__ import annotations

from proxy.config.sections import LimitSettings
from proxy.config.settings import Settings

DIVIDED_LIMITS = ("connections", "connections_per_address", "requests", "requests_per_address")


def divide_limits(settings: Settings, workers: int) -> Settings:
    """The settings of one worker: its part of ``DIVIDED_LIMITS``, rounded up."""
    limits = settings.limits
    parts = {name: -(-getattr(limits, name) // workers) for name in DIVIDED_LIMITS}
    divided = LimitSettings.model_construct(
        limits.model_fields_set, **(limits.model_dump() | parts)
    )
    return settings.model_copy(update={"limits": divided})
