"""The status of the running instance, for ``labgate cert show``.

``<state>/certificates/status.json`` holds::

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
        "fault": "",                     # what is wrong with the files now, and the remedy
        "next_renewal": "…" or null,     # if labgate renews it
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

SOON_DAYS = 15
"""With fewer days left, the renewal is late."""


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """One certificate in service."""

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
class InstanceStatus:
    """The state of an instance.

    Attributes:
        certificates: In service.
        hosts: The public names it serves.
        pid: Its process while it runs; else None.
        unreadable: This user may not read the file, so nothing is known.
    """

    certificates: tuple[CertificateStatus, ...] = ()
    hosts: tuple[str, ...] = ()
    pid: int | None = None
    unreadable: bool = False

    @property
    def running(self) -> bool:
        """Whether the instance runs now."""
        return self.pid is not None


def status_file(state_folder: Path) -> Path:
    """The status file of the instance with this state folder."""
    return state_folder / "certificates" / "status.json"


def write_status(
    path: Path, certificates: list[CertificateStatus], hosts: Sequence[str], *, running: bool = True
) -> None:
    """Replace the file.

    Raises:
        OSError: It cannot be written.
    """
    content = {
        "pid": os.getpid() if running else None,
        "hosts": list(hosts),
        "certificates": [asdict(certificate) for certificate in certificates],
    }
    write_atomically(path, json.dumps(content, indent=1, default=_encode).encode("utf-8"))


def read_status(path: Path) -> InstanceStatus:
    """Read the last status; an empty one if the file is missing or damaged."""
    try:
        content = json.loads(path.read_bytes())
        certificates = tuple(_parse(one) for one in content["certificates"])
        hosts = tuple(content["hosts"])
        pid = content["pid"]
    except PermissionError:
        return InstanceStatus(unreadable=True)
    except (OSError, ValueError, KeyError, TypeError):
        return InstanceStatus()
    running = isinstance(pid, int) and _process_exists(pid)
    return InstanceStatus(certificates, hosts, pid if running else None)


def _parse(content: dict[str, Any]) -> CertificateStatus:
    values = {field.name: content[field.name] for field in fields(CertificateStatus)}
    for key in ("not_before", "not_after", "next_renewal"):
        if values[key] is not None:
            values[key] = datetime.fromisoformat(values[key])
    return CertificateStatus(**values | {"names": tuple(values["names"])})


def _process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True


def _encode(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat(timespec="seconds")
