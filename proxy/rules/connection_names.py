"""The names that a TLS connection is for.

A client may use one connection for every name of its certificate (RFC 9113 section 9.1.1), and
sends the name with each request. One that the connection was not made for is refused with 421
(RFC 9110 section 7.4), so that nobody reaches a site past what its own certificate demands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ADDRESS = re.compile(rb"[0-9.]+|.*:.*")


@dataclass(frozen=True, slots=True)
class ConnectionNames:
    """What a TLS handshake was about.

    Attributes:
        server_name: What the client has asked for (RFC 6066 section 3), in lower case; empty for
            nothing, as by address.
        certificate: The names in the certificate that it was shown.
    """

    server_name: str
    certificate: tuple[str, ...]

    def cover(self, host: bytes) -> bool:
        """Whether the connection is for ``host``, a name or an address in lower case."""
        if _ADDRESS.fullmatch(host) is not None:
            # Addresses are never sent as server names; the certificate was the client's to check.
            return not self.server_name
        name = host.decode("latin-1")
        wildcard = "*." + name.partition(".")[2]
        names = (self.server_name, *self.certificate)
        return bool(name) and (name in names or wildcard in self.certificate)
