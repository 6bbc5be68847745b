"""Reads the command line and the configuration, and runs the command."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from typing import TYPE_CHECKING

from proxy.cli.arguments import parse_arguments
from proxy.config.addresses import is_address, is_loopback_name
from proxy.config.spelling import as_typed
from proxy.errors import StartError, UsageError
from proxy.net.upstream_address import parse_upstream
from proxy.runtime.event_loop import loop_factory
from proxy.runtime.last_problems import keep_last_problems
from proxy.runtime.logs import log_to_stderr
from proxy.service.state_folder import configured_folder

if TYPE_CHECKING:
    from proxy.config.settings import Settings

log = logging.getLogger("labgate")


def command(arguments: list[str] | None) -> int:
    """Run a command. Exit codes: 0 for success, 1 if it is not possible, 2 for wrong usage."""
    parsed = parse_arguments(arguments)
    try:
        return _run(parsed)
    except StartError as error:
        print(f"labgate: {as_typed(str(error), parsed.typed)}", file=sys.stderr)
        return error.exit_code


def _run(parsed: argparse.Namespace) -> int:
    # Each command loads what it needs: aiohttp, rich and the libraries of ACME take 0.3 s each.
    match parsed.command:
        case "up" | "serve":
            return _serve(parsed)
        case "check":
            from proxy.cli.check import check  # noqa: PLC0415

            return check(parsed)
        case "status" | "reload" | "upgrade" | "logs" | "open" | "unlock" | "stop":
            from proxy.cli import running  # noqa: PLC0415

            return asyncio.run(running.run_command(parsed))
        case "inspect":
            return _inspect(parsed)
        case "cert":
            return _cert(parsed)
        case "doctor":
            from proxy.cli.doctor import doctor  # noqa: PLC0415

            return doctor(parsed)
        case "hub":
            return _hub(parsed)
        case "password":
            from proxy.cli.password import password  # noqa: PLC0415

            return password(parsed.htpasswd)
        case "install-service":
            from proxy.cli.install_service import install_service  # noqa: PLC0415

            return install_service(parsed)
        case _:
            from proxy.cli.install_service import uninstall_service  # noqa: PLC0415

            return uninstall_service(parsed)


def _serve(parsed: argparse.Namespace) -> int:
    from proxy.cli import run  # noqa: PLC0415
    from proxy.config.effects import ineffective_keys  # noqa: PLC0415

    settings = _configured(parsed)
    launches = parsed.command == "up"
    for remark in ineffective_keys(settings, parsed.typed, launches=launches):
        log.warning("%s", remark)
    _collect_garbage()
    serving = run.up if launches else run.serve
    return run.run_in_event_loop(
        lambda settings: serving(settings, lambda: _read(parsed), take_over=parsed.take_over),
        settings,
    )


def _inspect(parsed: argparse.Namespace) -> int:
    from proxy.cli import inspect, run  # noqa: PLC0415

    _prepare_bench(parsed)
    settings = _configured(parsed)
    only = "is:error " if parsed.only else ""
    options = inspect.InspectOptions(
        number=parsed.number,
        filter=(only + parsed.filter).strip(),
        json=parsed.json,
        content=parsed.content,
        off=parsed.off,
        bench=_is_bench(parsed),
    )
    _collect_garbage()
    return run.run_in_event_loop(lambda settings: inspect.inspect(settings, options), settings)


def _cert(parsed: argparse.Namespace) -> int:
    settings = _configured(parsed)
    if parsed.action == "show":
        from proxy.cli.cert import show  # noqa: PLC0415

        return show(settings)
    from proxy.cli.obtain import obtain  # noqa: PLC0415

    renews = parsed.action == "renew"
    return obtain(settings, due_only=renews, force=renews and parsed.force)


def _hub(parsed: argparse.Namespace) -> int:
    """The proxy of a JupyterHub, whose configuration is its command line."""
    # What read the command line would stay: 0.8 MB, which only a search frees.
    gc.collect()
    from proxy.cli.hub import hub_options  # noqa: PLC0415
    from proxy.cli.serve_hub import serve_hub  # noqa: PLC0415

    options = hub_options(parsed, os.environ)
    log_to_stderr(options.log_level, options.log_format)
    keep_last_problems()
    folder = configured_folder(os.environ)
    _collect_garbage()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serve_hub(options, folder, take_over=parsed.take_over))


def _configured(parsed: argparse.Namespace) -> Settings:
    """Read the configuration, and write the log as it says.

    Raises:
        UsageError: Something is wrong with it.
    """
    settings = _read(parsed)
    log_to_stderr(settings.log.level, settings.log.format)
    keep_last_problems()
    return settings


def _collect_garbage() -> None:
    """Collect garbage from now on, but never search what was loaded (``proxy.__main__``)."""
    gc.freeze()
    gc.enable()


def _read(parsed: argparse.Namespace) -> Settings:
    """Read file, environment and flags.

    Raises:
        UsageError: Something is wrong with them.
    """
    # The settings take 8 MB, which a Hub's proxy has no use for.
    from proxy.config.effects import ineffective_options  # noqa: PLC0415
    from proxy.config.load import load  # noqa: PLC0415

    settings = load(parsed.flags, file=parsed.config, typed=parsed.typed)
    if wrong := ineffective_options(settings, parsed.typed):
        raise UsageError("\n".join(wrong))
    return settings


def _prepare_bench(parsed: argparse.Namespace) -> None:
    """A bench observes on loopback in plain HTTP, whatever the file says."""
    if not _is_bench(parsed):
        if parsed.typed:
            option = next(iter(parsed.typed.values()))
            raise UsageError(f"{option} needs --upstream, too: the labgate that runs has its own.")
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
    flags["routes"] = []


def _is_bench(parsed: argparse.Namespace) -> bool:
    return "upstream.url" in parsed.typed


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
