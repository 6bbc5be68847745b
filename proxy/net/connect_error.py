"""Why there is no connection to a Jupyter, in words for people."""

from __future__ import annotations

import os
import re
import socket
import ssl
from pathlib import Path

from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime.owners import owner_and_mode, this_user

_NUMBER = re.compile(r"\[Errno (\d+)\]")


def why_no_connection(address: UpstreamAddress, error: OSError) -> str:
    """The reason, without a full stop; where permission is denied also what to do.

    Args:
        address: What was connected to.
        error: Of ``UpstreamAddress.connect``.
    """
    if address.path is not None and isinstance(error, PermissionError):
        return (
            f"permission denied: labgate runs as {this_user()}, and the socket "
            f"{owner_and_mode(Path(address.path))}; start Jupyter with "
            "--ServerApp.sock_mode=0660 and a group that labgate has too, or on a TCP port"
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    # asyncio puts the address into the text, and for a name with several addresses every error.
    numbers = _NUMBER.findall(str(error))
    if numbers and not isinstance(error, socket.gaierror):
        return ", ".join(dict.fromkeys(os.strerror(int(number)) for number in numbers))
    return error.strerror or str(error)
