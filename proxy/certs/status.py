"""What the running instance tells ``labgate cert show``: ``<state>/certificates/status.json``.

::

    {"pid": 4711,                        # null after a clean stop
     "hosts": ["lab.example.org"],       # the public names it serves
     "certificates": [
       {"name": "lab.example.org",       # the first name
        "names": ["lab.example.org"],
        "source": "certbot",             # files, certbot, credentials, development, ACME
        "cert": "/etc/…/fullchain.pem", "key": "/etc/…/privkey.pem",
        "temporary": false,              # true: self-signed, until the files are there
        "issuer": "…", "serial": "0A…",
        "not_before": "2026-01-01T00:00:00+00:00", "not_after": "…",
        "fault": "",                     # what is wrong with the files now, and the mend
        "next_renewal": "…" or null,     # told by whoever renews
        "last_error": ""}]}

Times are ISO 8601, in UTC.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from proxy.runtime.secret_files import write_atomically


@dataclass(frozen=True, slots=True)
class Told:
    """One certificate in service, as the instance that serves it describes it."""

    name: str
    names: tuple[str, ...]
    source: str
    cert: str
    key: str
    temporary: bool
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    fault: str
    next_renewal: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class Status:
    """What an instance told.

    Attributes:
        certificates: In service.
        hosts: The public names it serves.
        pid: Its process, while it runs; else None.
        hidden: The file may not be read by this user, so nothing is known.
    """

    certificates: tuple[Told, ...] = ()
    hosts: tuple[str, ...] = ()
    pid: int | None = None
    hidden: bool = False

    @property
    def running(self) -> bool:
        """Whether there is such an instance now."""
        return self.pid is not None


def status_file(state_folder: Path) -> Path:
    """Where the instance that uses this state folder writes it."""
    return state_folder / "certificates" / "status.json"


def write_status(
    path: Path, certificates: list[Told], hosts: Sequence[str], *, running: bool = True
) -> None:
    """Replace the file.

    Raises:
        OSError: It cannot be written.
    """
    content = {
        "pid": os.getpid() if running else None,
        "hosts": list(hosts),
        "certificates": [asdict(told) for told in certificates],
    }
    write_atomically(path, json.dumps(content, indent=1, default=_written).encode("utf-8"))


def read_status(path: Path) -> Status:
    """What was told last; nothing when there is no such file, or not one of these."""
    try:
        content = json.loads(path.read_bytes())
        told = tuple(_told(one) for one in content["certificates"])
        hosts = tuple(content["hosts"])
        pid = content["pid"]
    except PermissionError:
        return Status(hidden=True)
    except (OSError, ValueError, KeyError, TypeError):
        return Status()
    return Status(told, hosts, pid if isinstance(pid, int) and _runs(pid) else None)


def _told(content: dict[str, Any]) -> Told:
    values = {field.name: content[field.name] for field in fields(Told)}
    for key in ("not_before", "not_after", "next_renewal"):
        if values[key] is not None:
            values[key] = datetime.fromisoformat(values[key])
    return Told(**values | {"names": tuple(values["names"])})


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _written(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat(timespec="seconds")
