"""The configuration in force, and its reload while labgate serves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from proxy.app import Application
from proxy.config.effects import untrusted_names
from proxy.config.reloading import (
    compare_settings,
    in_force_after_reload,
    moved_addresses,
    route_changes,
)
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.routes.probes import FIRST_PROBE_SECONDS, awaited
from proxy.runtime.last_problems import OF_A_RELOAD, forget_reload_problems
from proxy.runtime.logs import log_to_stderr
from proxy.runtime.sd_notify import reloading, sd_notify
from proxy.service.upstream_choice import upstream_of, writes_access_log

if TYPE_CHECKING:
    from proxy.workers.supervisor import Supervisor

log = logging.getLogger("labgate")

Serving: TypeAlias = "Application | Supervisor"
"""What serves: one application in this process, or the supervisor of several."""

PARTLY_IN_FORCE = "Only a part of the configuration may be in force: reload it again, or restart."


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """The result of a reload.

    Attributes:
        refused: Why the configuration was refused as a whole, a problem a line; empty if it is in
            force.
        failed: What failed while the configuration was put into force, of which a part may be;
            empty if nothing did.
        changed: The keys that have other values now.
        restart: The keys whose new values wait for a restart.
        remarks: Sentences about what a reload does not do.
    """

    refused: str = ""
    failed: str = ""
    changed: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def sentences(self) -> list[str]:
        """The lines that describe the result to people."""
        unchanged = "nothing is different yet" if self.restart else "nothing has changed"
        first = f"changed {', '.join(self.changed)}" if self.changed else unchanged
        told = [f"The configuration was reloaded: {first}."]
        if self.restart:
            told.append(f"Only a restart changes {', '.join(self.restart)}.")
        return told + [f"{remark}." for remark in self.remarks]


class LiveConfiguration:
    """What the running labgate does, and how it takes another configuration.

    Attributes:
        settings: In force.
        refusal: Why the last reload was refused; empty if it was not.
        failure: What went wrong when the last one was put into force; empty if nothing did.
        command: As given.
        ready: Set when people and the service manager were told that labgate is ready.

    Args:
        settings: The configuration of the start.
        read: Reads file, environment and flags again.
        command: ``up``, ``serve`` or ``inspect``.
    """

    def __init__(self, settings: Settings, read: Callable[[], Settings], command: str) -> None:
        self.settings = settings
        self.refusal = self.failure = ""
        self.ready = asyncio.Event()
        self.command = command
        self._read = read
        self._reloading = asyncio.Lock()

    @property
    def launches(self) -> bool:
        """Whether the command is ``up``, which may launch a Jupyter."""
        return self.command == "up"

    async def reload(self, app: Serving, why: str) -> ReloadOutcome:
        """Read the configuration again, and put it into force: all of it, or nothing if it is bad.

        Args:
            app: What serves with it.
            why: The cause of the reload, for the log.
        """
        async with self._reloading:
            log.info("%s: the configuration is read again.", why)
            if self.ready.is_set():
                reloading()
            status = "The reload was broken off."
            try:
                outcome = await self._outcome(app)
                self.refusal, self.failure = outcome.refused, outcome.failed
                status = _log_outcome(outcome)
            finally:
                # However it ends: until then a service manager waits for it.
                if self.ready.is_set():
                    sd_notify("READY=1", f"STATUS={status}")
            return outcome

    async def _outcome(self, app: Serving) -> ReloadOutcome:
        try:
            wanted = self._read()
            in_force = in_force_after_reload(self.settings, wanted)
            upstream = upstream_of(in_force, launches=self.launches)
            access_log = writes_access_log(in_force, launches=self.launches)
            changed, restart = compare_settings(self.settings, wanted)
            if not self.launches:
                restart = tuple(key for key in restart if not key.startswith("jupyter."))
            told = route_changes(self.settings, in_force)
            known = untrusted_names(self.settings)
            told += [said.rstrip(".") for said in untrusted_names(in_force) if said not in known]
            moved = moved_addresses(self.settings, in_force)
            apply = await app.prepare(in_force, access_log=access_log)
        except StartError as error:
            return ReloadOutcome(refused=str(error))
        except Exception as error:
            log.exception("the reload failed", extra=OF_A_RELOAD)
            return ReloadOutcome(refused=f"the reload failed: {error!r}; the log has more.")
        try:
            apply()
            self.settings = in_force
            log_to_stderr(in_force.log.level, in_force.log.format)
            if upstream is not None and upstream != app.upstream:
                app.connect_to(upstream)
                moved.append(upstream)
            told += await awaited(moved, FIRST_PROBE_SECONDS)
            told += app.reload_remarks()
        except Exception as error:
            log.exception("the reload failed", extra=OF_A_RELOAD)
            return ReloadOutcome(failed=f"{error!r}; the log has more.")
        return ReloadOutcome(changed=changed, restart=restart, remarks=tuple(told))


def _log_outcome(outcome: ReloadOutcome) -> str:
    """Log how a reload has ended; returns it in a line, for the service manager."""
    if outcome.refused:
        for line in outcome.refused.splitlines():
            log.error("reload refused: %s", line, extra=OF_A_RELOAD)
        log.error("The configuration from before stays in force.", extra=OF_A_RELOAD)
        return f"Reload refused, the configuration from before stays: {outcome.refused}"
    if outcome.failed:
        log.error("reload failed: %s", outcome.failed, extra=OF_A_RELOAD)
        log.error(PARTLY_IN_FORCE, extra=OF_A_RELOAD)
        return f"Reload failed: {outcome.failed} {PARTLY_IN_FORCE}"
    forget_reload_problems()
    for sentence in outcome.sentences:
        log.info("%s", sentence)
    return " ".join(outcome.sentences)
