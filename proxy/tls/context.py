"""TLS towards clients: Mozilla's intermediate profile, the certificate chosen by SNI."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from proxy.tls.client_hello import offered_protocols
from proxy.tls.groups import server_side

CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)
"""Mozilla's server-side TLS guidelines, intermediate, for TLS 1.2; 1.3 has its own."""

ACME_TLS = b"acme-tls/1"

RECORD_BYTES = 16 * 1024
"""The most content of a record (RFC 8446 section 5.1), which is the most that one read gets."""

UnknownName = Literal["default", "refuse"]


class Handshakes:
    """What a TLS handshake gets: its certificate, or a refusal.

    ``context`` is for every listener and stays the same for good. It has no certificate:
    each handshake is moved to a context of its pair before one is needed, so that a pair
    can be exchanged while listeners listen. Tickets are made by ``context``, so sessions
    are resumed across such an exchange, too.

    Args:
        unknown_name: What a client gets that asks for a name which no certificate is for:
            the default certificate, or the alert ``unrecognized_name`` (RFC 6066 section
            3). One that asks for no name, as by address, always gets the default.
    """

    def __init__(self, unknown_name: UnknownName = "default") -> None:
        self._refuse_unknown = unknown_name == "refuse"
        self._default: ssl.SSLContext | None = None
        self._by_name: dict[str, ssl.SSLContext] = {}
        self._challenges: dict[str, ssl.SSLContext] = {}
        self._listening_context = server_side(_ListeningContext)
        self._listening_context.sslobject_class = _Connection
        _profile(self._listening_context)
        # A ticket costs half a signature; send one. A client that opens several connections at
        # once gets one on each.
        self._listening_context.num_tickets = 1
        self._listening_context.sni_callback = self._choose

    @property
    def context(self) -> ssl.SSLContext:
        """The context to listen with."""
        return self._listening_context

    def serve(self, served: Sequence[tuple[Sequence[str], ssl.SSLContext]]) -> None:
        """From the next handshake on these names get these contexts, the rest the first.

        A name may be a wildcard, for one label; of a name given twice the first counts.
        """
        by_name: dict[str, ssl.SSLContext] = {}
        for names, context in served:
            for name in names:
                by_name.setdefault(name, context)
        self._by_name = by_name
        self._default = served[0][1] if served else None

    def challenge(self, name: str, context: ssl.SSLContext | None) -> None:
        """Handshakes for ``name`` that offer ``acme-tls/1`` get ``context`` (RFC 8737).

        None ends it. Other handshakes for that name get what they always get.
        """
        if context is None:
            self._challenges.pop(name.lower(), None)
        else:
            self._challenges[name.lower()] = context
        self._listening_context.keeps_hello = bool(self._challenges)

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
    ) -> int | None:
        name = name.lower() if name else ""
        chosen = None
        # Called twice in a handshake when the client has to try again (RFC 8446 section 4.1.4).
        if (
            self._challenges
            and isinstance(connection, _Connection)
            and ACME_TLS in connection.offered
        ):
            chosen = self._challenges.get(name)
        if chosen is None:
            chosen = self._by_name.get(name) or self._by_name.get(_wildcard(name))
        if chosen is None and not (name and self._refuse_unknown):
            chosen = self._default
        if chosen is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = chosen
        return None


def pair_context(cert: Path, key: Path) -> ssl.SSLContext:
    """The context that handshakes for the certificate's names are moved to.

    Args:
        cert: PEM file, leaf first, then the intermediates.
        key: PEM file.

    Raises:
        OSError: OpenSSL (``ssl.SSLError`` is one) does not take the files.
    """
    context = server_side(ssl.SSLContext)
    _profile(context)
    context.load_cert_chain(cert, key)
    return context


def _profile(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])


class _ListeningContext(ssl.SSLContext):
    """A context whose connections, while ``keeps_hello``, keep a copy of their ClientHello."""

    keeps_hello = False

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any
    ) -> ssl.SSLObject:
        connection = super().wrap_bio(incoming, outgoing, *args, **options)
        assert isinstance(connection, _Connection)
        connection.incoming, connection.outgoing = incoming, outgoing
        connection.kept_incoming = incoming if self.keeps_hello else None
        return connection


class _Connection(ssl.SSLObject):
    """A server's side of a handshake, with the two things that asyncio leaves out.

    A failed one tells the client why: asyncio and uvloop would drop the alert that OpenSSL
    has written, and reset the connection. And what arrives can be looked at before OpenSSL
    takes it: the SNI callback is told nothing about ALPN, which is negotiated after it.
    """

    _sslobj: Any  # of ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    kept_incoming: ssl.MemoryBIO | None = None
    _seen = b""
    _offered: tuple[bytes, ...] | None = None
    _failure: ssl.SSLError | None = None

    @property
    def offered(self) -> tuple[bytes, ...]:
        """The protocols offered, if the hello was kept; from the first call on it is no more."""
        if self._offered is None:
            self._offered = offered_protocols(self._seen)
            self._seen, self.kept_incoming = b"", None
        return self._offered

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002  as in ssl
        """As ``ssl``'s; uvloop asks for 256 KiB, which would be allocated for every record.

        And it asks until nothing is left, which OpenSSL needs longer to say than we do.
        """
        left = self.incoming.pending + self._sslobj.pending()
        if not left:
            raise ssl.SSLWantReadError
        size = min(len, left, RECORD_BYTES)
        if buffer is not None:
            return self._sslobj.read(size, buffer)
        return self._sslobj.read(size)

    def do_handshake(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.kept_incoming is not None and (arrived := self.kept_incoming.read()):
            self._seen += arrived
            self.kept_incoming.write(arrived)
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if not self.outgoing.pending:
                raise
            # The event loop sends what is pending when more is wanted, and only then. The
            # client closes when it has read the alert, or the handshake runs out of time.
            self._failure = error
            raise ssl.SSLWantReadError from error


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]
