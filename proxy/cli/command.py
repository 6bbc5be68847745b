"""Reads the command line and the configuration, and runs the command."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys

from proxy.cli.arguments import parse_arguments
from proxy.config.effects import ineffective_keys, ineffective_options
from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.config.spelling import as_typed
from proxy.config.types import is_address, is_loopback_name
from proxy.errors import StartError, UsageError
from proxy.net.upstream_address import parse_upstream
from proxy.runtime.event_loop import loop_factory
from proxy.runtime.last_problems import keep_last_problems
from proxy.runtime.logs import log_to_stderr

log = logging.getLogger("labgate")

RUNNING = ("status", "reload", "upgrade", "logs", "open", "unlock", "stop")
"""Commands that speak with a labgate that runs."""


def command(arguments: list[str] | None) -> int:
    """Run a command. Exit codes: 0 for success, 1 if it is not possible, 2 for wrong usage."""
    parsed = parse_arguments(arguments)
    try:
        if parsed.command == "password":
            from proxy.cli.password import password  # noqa: PLC0415  commands load what they need

            return password(parsed.htpasswd)
        if parsed.command == "hub":
            return _run_hub(parsed)
        if parsed.command == "doctor":
            from proxy.cli.doctor import doctor  # noqa: PLC0415  commands load what they need

            return doctor(parsed)
        if parsed.command in ("install-service", "uninstall-service"):
            from proxy.cli import install_service as service  # noqa: PLC0415

            installs = parsed.command == "install-service"
            return (service.install_service if installs else service.uninstall_service)(parsed)
        if parsed.command == "check":
            from proxy.cli.check import check  # noqa: PLC0415  aiohttp and rich cost 0.4 s

            return check(parsed)
        if parsed.command == "inspect":
            _prepare_bench(parsed)
        if parsed.command in RUNNING:
            from proxy.cli import running  # noqa: PLC0415  aiohttp costs 0.3 s

            return asyncio.run(running.run(parsed))
        settings = _read(parsed)
        log_to_stderr(settings.log.level, settings.log.format)
        keep_last_problems()
        if parsed.command == "cert":
            return _run_cert(parsed, settings)
        from proxy.cli import run  # noqa: PLC0415  commands load what they need

        if parsed.command == "inspect":
            from proxy.cli import inspect  # noqa: PLC0415  aiohttp and rich cost 0.4 s

            only = "is:error " if parsed.only else ""
            options = inspect.InspectOptions(
                number=parsed.number,
                filter=(only + parsed.filter).strip(),
                json=parsed.json,
                content=parsed.content,
                off=parsed.off,
                bench="upstream" in parsed.flags,
            )
            gc.freeze()
            gc.enable()
            return run.run(lambda settings: inspect.inspect(settings, options), settings)
        launches = parsed.command == "up"
        for remark in ineffective_keys(settings, parsed.typed, launches=launches):
            log.warning("%s", remark)
        gc.freeze()
        gc.enable()
        serving = run.up if launches else run.serve
        return run.run(
            lambda settings: serving(settings, lambda: _read(parsed), take_over=parsed.take_over),
            settings,
        )
    except StartError as error:
        print(f"labgate: {as_typed(str(error), parsed.typed)}", file=sys.stderr)
        return error.exit_code


def _needs_its_name(url: str) -> bool:
    """Whether what is there may serve several names, as a proxy that speaks TLS does.

    A Jupyter, or a proxy in plain HTTP, on this machine or at an address gets Host and Origin as
    they came, and so of every request the same: Jupyter names its login cookie after Host.
    """
    try:
        upstream = parse_upstream(url)
    except UsageError:
        return False  # it is reported with all other problems
    if upstream.tls is not None:
        return True
    return not is_address(upstream.host) and not is_loopback_name(upstream.host)


def _read(parsed: argparse.Namespace) -> Settings:
    """Read file, environment and flags.

    Raises:
        UsageError: Something is wrong with them.
    """
    settings = load(parsed.flags, file=parsed.config, typed=parsed.typed)
    if wrong := ineffective_options(settings, parsed.typed):
        raise UsageError("\n".join(wrong))
    return settings


def _run_cert(parsed: argparse.Namespace, settings: Settings) -> int:
    """Show, obtain or renew the certificate."""
    from proxy.cli import cert  # noqa: PLC0415  commands load what they need

    if parsed.action == "show":
        return cert.show(settings)
    from proxy.cli import obtain  # noqa: PLC0415  the libraries of ACME cost 0.3 s

    force = parsed.action == "renew" and parsed.force
    return obtain.obtain(settings, due_only=parsed.action == "renew", force=force)


def _run_hub(parsed: argparse.Namespace) -> int:
    """The proxy of a JupyterHub, whose configuration is its command line."""
    from proxy.cli import hub  # noqa: PLC0415  commands load what they need

    options = hub.hub_options(parsed, os.environ)
    log_to_stderr(options.log_level, options.log_format)
    gc.freeze()
    gc.enable()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(hub.serve_hub(options))


def _prepare_bench(parsed: argparse.Namespace) -> None:
    """A bench observes on loopback in plain HTTP, whatever the file says."""
    if "upstream" not in parsed.flags:
        # The running labgate's upstream is not asked here.
        if "site" in parsed.flags:
            raise UsageError("--domain is for a bench: it needs --upstream, too.")
        return
    flags = parsed.flags
    flags.setdefault("listen", {}).update(tls=False, bind=["127.0.0.1", "::1"], workers=1)
    given = flags.get("site", {}).get("domains", [])
    flags["site"] = {
        "domains": [*given, *(name for name in ("localhost", "127.0.0.1") if name not in given)],
        "rewrite": "rewrite" if _needs_its_name(flags["upstream"]["url"]) else "preserve",
    }
    flags["inspector"] = {"enabled": True, "observe": True, "content": parsed.content}
    flags["access"] = {"htpasswd": None}
