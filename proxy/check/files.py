"""The state folder, the htpasswd files and the webroot: whether this user may use them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from proxy.access.htpasswd import CREDENTIALS, Htpasswd
from proxy.check.verdict import Verdict, fault, remark
from proxy.config.routes import route_configurations
from proxy.config.settings import Settings
from proxy.errors import StartError


def check_files(settings: Settings) -> Iterator[Verdict]:
    """Look at what labgate reads and writes, beside certificates."""
    yield _state_folder(settings.state_folder)
    routes = route_configurations(settings)
    for file in dict.fromkeys(one.htpasswd for one in routes if one.htpasswd is not None):
        try:
            Htpasswd(file)
        except StartError as error:
            yield _later(file) or fault("Passwords", error)
        else:
            yield Verdict("Passwords", f"{file} can be read.")
    webroot = settings.acme.webroot
    if webroot is not None and not webroot.is_dir():
        yield remark("Webroot", f"{webroot} does not exist yet; certbot --webroot needs it.")


def _state_folder(folder: Path) -> Verdict:
    existing, is_barred = _nearest(folder)
    if is_barred:
        return fault(
            "State",
            f"{folder} is below {existing}, which this user may not enter. Run labgate as the user "
            "that owns it, or name another folder with state.folder (LABGATE_STATE__FOLDER).",
        )
    if not existing.is_dir():
        return fault("State", f"{existing} is no folder. Name another with state.folder.")
    if not os.access(existing, os.W_OK | os.X_OK):
        return fault(
            "State",
            f"{existing} cannot be written by this user. Make it writable, run labgate as the user "
            "that owns it, or name another folder with state.folder (LABGATE_STATE__FOLDER).",
        )
    if existing == folder and stat.S_IMODE(folder.stat().st_mode) & stat.S_IWOTH:
        return fault("State", f"{folder} can be written by everybody: chmod o-w {folder}")
    made = "" if existing == folder else ", which labgate makes at start"
    return Verdict("State", f"{folder}{made}")


def _later(file: Path) -> Verdict | None:
    """The remark on a credential of a systemd unit that does not run; None for any other file."""
    if file.parent.parent != CREDENTIALS or file.parent.exists():
        return None
    return remark(
        "Passwords",
        f"{file} is there once systemd has started {file.parent.name}, which then needs a line "
        f"LoadCredential={file.name}:…; `labgate check` reads it while the service runs.",
    )


def _nearest(folder: Path) -> tuple[Path, bool]:
    """The folder, or the first above it that there is; and whether this user may not look below."""
    is_barred = False
    for path in (folder, *folder.parents):
        try:
            path.stat()
        except PermissionError:
            is_barred = True
        except OSError:
            continue  # there is none, or a file is in its way
        else:
            return path, is_barred
    return folder, is_barred
