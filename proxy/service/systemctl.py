"""Runs systemctl. Tested by tests/deployment/test_service.py."""

from __future__ import annotations

import subprocess

from proxy.errors import StartError


def systemctl(*words: str) -> str:
    """What systemctl prints.

    Raises:
        StartError: It fails, or there is none, as on every system but Linux.
    """
    command = ["systemctl", *words]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise StartError("There is no systemctl here, so there is no systemd.") from None
    if ran.returncode != 0:
        raise StartError(f"`{' '.join(command)}` failed: {ran.stderr.strip()}")
    return ran.stdout
