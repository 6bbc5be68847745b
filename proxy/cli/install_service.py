"""``labgate install-service`` and ``labgate uninstall-service``."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from proxy.check.names import is_address_here
from proxy.cli.check import LAUNCHES_AND_SERVES, launches_and_serves
from proxy.config.load import load
from proxy.config.settings import Settings
from proxy.config.sources import DEFAULT_FILE
from proxy.errors import StartError, UsageError
from proxy.rules.authority import host_with_port
from proxy.runtime.system_commands import UNITS
from proxy.service.installation import Installation, ServiceFile, State
from proxy.service.program_writers import writer_of
from proxy.service.shipped_files import shipped_file
from proxy.service.state_folder import SERVICE_FOLDER
from proxy.service.systemctl import systemctl
from proxy.service.unit_files import (
    UNSAFE,
    Machine,
    configuration_file,
    service_unit,
    socket_unit,
    systemd_version,
)

SERVICE, SOCKET = UNITS / "labgate.service", UNITS / "labgate.socket"
PRIVATE_FOLDERS = ("/tmp/", "/var/tmp/")  # noqa: S108  PrivateTmp=yes

PURPOSES = {
    SERVICE: "tells systemd how to start labgate, when to start it again, and what it may touch.",
    SOCKET: "has systemd hold the ports, so that nobody is refused while labgate starts again.",
}
CONFIGURATION_PURPOSE = "is what you configure: every key is explained in it"


def install_service(parsed: argparse.Namespace) -> int:
    """Write the files of the service, or print them.

    Raises:
        StartError: There is no systemd, or a file cannot be written.
        UsageError: The options or the configuration are invalid.
    """
    installation = Installation(parsed.root or Path("/"))
    configuration = (parsed.config or DEFAULT_FILE).absolute()
    exists = installation.at(configuration).exists()
    if exists and parsed.flags:
        options = ", ".join(sorted(parsed.typed.values()))
        raise UsageError(
            f"{configuration} exists, and options are not written into it: edit it, and leave "
            f"{options} out."
        )
    named = installation.at(configuration) if exists else None
    settings = load(parsed.flags, {}, named, parsed.typed)
    if launches_and_serves(settings):
        raise UsageError(f"{f'{named}: ' if named else ''}{LAUNCHES_AND_SERVES}")
    machine = _machine(configuration)
    files = service_files(settings, parsed.typed, machine)
    _warn_of_writers(machine)
    if parsed.dry_run:
        _print_files(installation, files)
        _print_next(configuration, exists=exists)
        return 0
    if parsed.root is None and shutil.which("systemctl") is None:
        raise StartError(
            "There is no systemctl here, so there is no systemd to install a service for. "
            "--dry-run shows the files, --root FOLDER writes them below a folder."
        )
    _write(installation, files, overwrite=parsed.overwrite)
    if parsed.root is None:
        systemctl("daemon-reload")
    _print_next(configuration, exists=exists)
    return 0


def service_files(
    settings: Settings, typed: Mapping[str, str], machine: Machine
) -> list[ServiceFile]:
    """The files for a configuration.

    Args:
        settings: The configuration.
        typed: The keys that are written into it.
        machine: Where labgate and its configuration are.
    """
    serve = bool(settings.upstream.url) or not settings.site_has_jupyter
    values: dict[str, dict[str, Any]] = {}
    for key in typed:
        section, name = key.split(".")
        value = getattr(getattr(settings, section), name)
        values.setdefault(section, {})[name] = value
    if not serve and "jupyter.launch" not in typed:
        # With "auto" an engine that does not answer at boot means a process without volumes.
        values.setdefault("jupyter", {})["launch"] = "docker"
    # Only the service has systemd's STATE_DIRECTORY. Commands that root types find the folder here.
    values["state"] = {"folder": SERVICE_FOLDER}
    unit = service_unit(shipped_file("labgate.service"), machine, serve=serve)
    socket = socket_unit(shipped_file("labgate.socket"), _listening(settings))
    toml = configuration_file(shipped_file("labgate.toml"), values)
    path = Path(machine.configuration)
    given = ", ".join(f"{section}.{name}" for section, keys in values.items() for name in keys)
    purpose = f"{path.name} {CONFIGURATION_PURPOSE}{f' (set: {given})' if given else ''}."
    return [
        ServiceFile(SERVICE, unit, 0o644, f"{SERVICE.name} {PURPOSES[SERVICE]}"),
        ServiceFile(SOCKET, socket, 0o644, f"{SOCKET.name} {PURPOSES[SOCKET]}"),
        ServiceFile(path, toml, 0o600, purpose, keep=True),
    ]


def _listening(settings: Settings) -> list[str]:
    """The addresses for systemd; like labgate itself, without those that the machine lacks."""
    ports = [settings.https_port] if settings.listen.tls else []
    ports += [settings.http_port] if settings.http_port else []
    if not settings.listen.bind and not settings.local:
        return [str(port) for port in ports]  # all addresses
    hosts = [host for host in settings.bind if settings.listen.bind or is_address_here(host)]
    return [host_with_port(host, port) for port in ports for host in hosts]


def uninstall_service(parsed: argparse.Namespace) -> int:
    """Stop the service and remove what was written.

    Raises:
        StartError: Nothing was written, or a file cannot be removed.
    """
    installation = Installation(parsed.root or Path("/"))
    if not installation.paths:
        sees_all = parsed.root or os.geteuid() == 0
        raise StartError(
            "install-service has written nothing here"
            + ("." if sees_all else ", as far as this user may see: use sudo.")
        )
    would = "would " if parsed.dry_run else ""
    if parsed.root is None:
        # systemctl disables none of them if the file of one was removed by hand.
        units = [unit.name for unit in (SOCKET, SERVICE) if unit.exists()]
        print(f"{would}stop and disable {' '.join(units) or 'nothing: the units are gone'}")
        if not parsed.dry_run:
            if units:
                systemctl("disable", "--now", *units)
            _disable_without_files()
    for path in installation.paths:
        if not installation.is_unchanged(path):
            stays = "stays: it was changed since it was written"
            missing = not installation.at(path).exists()
            print(f"{path} {'is gone already' if missing else stays}")
            if not parsed.dry_run:
                installation.forget(path)
            continue
        print(f"{would}remove {path}")
        if not parsed.dry_run:
            installation.remove(path)
    if parsed.root is None and not parsed.dry_run:
        systemctl("daemon-reload")
    print(
        "/var/lib/labgate (the login token, certificates) stays, and so does everything that was "
        "saved in Jupyter."
    )
    return 0


def _machine(configuration: Path) -> Machine:
    command = Path(sys.argv[0]).absolute()
    if command.name != "labgate":  # python -m proxy
        command = Path(sys.executable).absolute().with_name("labgate")
    if str(command).startswith(PRIVATE_FOLDERS):
        raise StartError(
            f"{command} is in a folder for temporary files, which the service does not see. "
            "Install labgate elsewhere, for example in /opt/labgate."
        )
    if UNSAFE.search(str(command)):
        raise StartError(
            f"{str(command)!r} has a quote or another character in it with which systemd starts no "
            "program. Install labgate elsewhere, for example in /opt/labgate."
        )
    said = ""
    with suppress(StartError):
        said = systemctl("--version")
    return Machine(str(command), str(configuration), systemd_version(said))


def _warn_of_writers(machine: Machine) -> None:
    """The service runs as root, and so does whoever may change its program."""
    package = Path(__file__).parents[1]
    found = writer_of([Path(machine.command), Path(sys.executable).absolute(), package])
    if found is not None:
        path, who = found
        print(
            f"labgate: Warning: the service would run as root what {who} may change ({path}), so "
            "that means to be root. Let root install it in /opt/labgate, and run "
            "/opt/labgate/bin/labgate install-service.",
            file=sys.stderr,
        )


def _write(installation: Installation, files: Sequence[ServiceFile], *, overwrite: bool) -> None:
    for file in files:
        print(file.purpose)
        state = installation.state(file)
        if state is State.SAME:
            print(f"  {file.path} {state.value}")
        elif file.keep and state is not State.MISSING:
            print(f"  {file.path} is there already, and stays as it is")
        elif state is State.FOREIGN and not overwrite:
            print(f"  {file.path} {state.value}: it stays as it is; --overwrite replaces it")
        else:
            if state is State.FOREIGN:
                print(f"  {installation.set_aside(file.path)} is the one from before")
            installation.write(file)
            print(f"  {file.path} written")


def _print_files(installation: Installation, files: Sequence[ServiceFile]) -> None:
    print(
        "This is a dry run: nothing is written, and nothing started. Without --dry-run labgate\n"
        f"would write these {len(files)} files, each shown below behind its name:\n"
    )
    for file in files:
        print(f"  {file.purpose}")
    print()
    for file in files:
        state = installation.state(file)
        said = state.value
        if file.keep and state in (State.OURS, State.FOREIGN):
            said = "is there already, and would stay as it is"
        elif state is State.FOREIGN:
            said += ", and would stay as it is; --overwrite replaces it"
        print(f"=== {file.path} ({said})\n=== {file.purpose}\n")
        if not (file.keep and state is not State.MISSING):
            print(file.content)


def _print_next(configuration: Path, *, exists: bool) -> None:
    option = "" if configuration == DEFAULT_FILE else f" --config {configuration}"
    steps = [] if exists else [(f"$EDITOR {configuration}", "your domain, your mail address")]
    steps += [
        (f"labgate check{option}", "finds what is wrong before anything is started"),
        ("systemctl enable --now labgate.socket labgate", "starts it, now and at every boot"),
        (f"labgate status{option}", "tells how it is; journalctl -u labgate is its log"),
    ]
    print("Next, as root:")
    width = max(len(command) for command, _ in steps)
    for command, purpose in steps:
        print(f"  {command:<{width}}   # {purpose}")


def _disable_without_files() -> None:
    """Stop and unlink units that may still run though their files were removed."""
    for unit in (SOCKET, SERVICE):
        if not unit.exists():
            with suppress(StartError):  # it does not run, or systemd does not know it any more
                systemctl("disable", "--now", unit.name)
