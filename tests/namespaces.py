"""Commands in a process namespace of their own, as a container has one."""

from __future__ import annotations

import shutil
import subprocess

NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
NAMESPACE += ["--mount-proc"]
"""What comes behind it is process 1 of its namespace, and ends with unshare."""


def namespaces_allowed() -> bool:
    """Whether this machine has them, and this user may make them."""
    if shutil.which(NAMESPACE[0]) is None:
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
