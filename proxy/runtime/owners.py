"""Whose a file is, and who this process is, for error messages about permissions."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

ROOT_UID = 0


def user_name(uid: int) -> str:
    """The name of a user; the number if it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def this_user() -> str:
    """Who this process is; of root to whom a file is closed also why that can be."""
    uid = os.geteuid()
    if uid == ROOT_UID:
        # capabilities(7): config/labgate.service takes that right away.
        return "root without the right to pass over the modes of files (CAP_DAC_OVERRIDE)"
    return user_name(uid)


def owner_and_mode(path: Path) -> str:
    """Whose a file is and with which mode, as ``belongs to ada and has mode 0600``."""
    try:
        status = path.stat()
    except OSError:
        return "is in a folder that is closed to it"
    return f"belongs to {user_name(status.st_uid)} and has mode {stat.S_IMODE(status.st_mode):04o}"
