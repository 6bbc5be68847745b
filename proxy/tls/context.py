"""TLS towards clients: Mozilla's intermediate profile, the certificate chosen by SNI."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from proxy.rules.connection_names import ConnectionNames
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
ALPN_HTTP_1_1 = "http/1.1"
ALPN_HTTP_2 = "h2"
"""Application protocols (RFC 7301), as IANA registers them."""

RECORD_BYTES = 16 * 1024
"""The maximum content of a record (RFC 8446 section 5.1), and therefore of one read."""

UnknownName = Literal["default", "refuse"]


class Handshakes:
    """Chooses the certificate of each TLS handshake, or refuses the handshake.

    All listeners share ``context``, which never changes. It has no certificate: each handshake
    is moved to the context of its certificate, so certificates can be replaced while listeners
    run. ``context`` makes the tickets, so sessions are resumed across a replacement, too; by the
    same process alone, because ``ssl`` has no way to give a context the keys of another's tickets.

    Attributes:
        refuse_unknown: Whether ``unknown_name`` is ``refuse``.

    Args:
        unknown_name: The response to a server name without a certificate: the default
            certificate, or the alert ``unrecognized_name`` (RFC 6066 section 3). A handshake
            without a server name, as by address, always gets the default.
        http2: Whether HTTP/2 is offered beside HTTP/1.1.
    """

    def __init__(self, unknown_name: UnknownName = "default", *, http2: bool = False) -> None:
        self.refuse_unknown = unknown_name == "refuse"
        self._protocols = [ALPN_HTTP_2, ALPN_HTTP_1_1] if http2 else [ALPN_HTTP_1_1]
        self._default: ssl.SSLContext | None = None
        self._by_name: dict[str, ssl.SSLContext] = {}
        self._names: dict[ssl.SSLContext, tuple[str, ...]] = {}
        self._challenges: dict[str, ssl.SSLContext] = {}
        self._authorities: _Authorities | None = None
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
        """Use these contexts from the next handshake on, the first one for all other names.

        A name may be a wildcard, for one label; if a name is given twice, the first counts.
        """
        by_name: dict[str, ssl.SSLContext] = {}
        for names, context in served:
            context.set_alpn_protocols(self._protocols)
            if self._authorities is not None:
                # A handshake is verified with what its certificate's context trusts.
                self._authorities.trust(context)
            for name in names:
                by_name.setdefault(name, context)
        self._by_name = by_name
        self._names = {context: tuple(map(str.lower, names)) for names, context in served}
        self._default = served[0][1] if served else None

    def require_certificates(self, ca: Path | None) -> None:
        """Refuse clients without a valid certificate from now on.

        Args:
            ca: PEM file of the authorities; None for the system's.

        Raises:
            OSError: The file cannot be used.
        """
        self._authorities = _Authorities.of(ca)
        self._authorities.trust(self._listening_context)
        self._listening_context.verify_mode = ssl.CERT_REQUIRED
        # A session that is resumed would not be verified again, by authorities that have changed.
        # TLS 1.2 resumes without tickets, too, and Python cannot keep it from that.
        self._listening_context.num_tickets = 0
        self._listening_context.minimum_version = ssl.TLSVersion.TLSv1_3

    def follow(self, other: Handshakes) -> None:
        """From the next ``serve`` on refuse names and trust clients as ``other`` does."""
        self.refuse_unknown, self._authorities = other.refuse_unknown, other._authorities

    def challenge(self, name: str, context: ssl.SSLContext | None) -> None:
        """Use ``context`` for handshakes for ``name`` that offer ``acme-tls/1`` (RFC 8737).

        None ends that. Other handshakes for the name are not affected.
        """
        if context is None:
            self._challenges.pop(name.lower(), None)
        else:
            self._challenges[name.lower()] = context
        self._listening_context.copies_hello = bool(self._challenges)

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
        if chosen is None and not (name and self.refuse_unknown):
            chosen = self._default
        if chosen is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = chosen
        if isinstance(connection, _Connection):
            connection.names = ConnectionNames(name, self._names.get(chosen, ()))
        return None


def pair_context(cert: Path, key: Path, passphrase: str = "") -> ssl.SSLContext:
    """Load the context that handshakes for the certificate's names are moved to.

    Args:
        cert: PEM file, leaf first, then the intermediates.
        key: PEM file.
        passphrase: Of the key; empty for none.

    Raises:
        OSError: OpenSSL rejects the files (``ssl.SSLError`` is an OSError).
    """
    context = server_side(ssl.SSLContext)
    _profile(context)
    context.load_cert_chain(cert, key, password=lambda: passphrase)
    return context


def names_of(connection: ssl.SSLObject | None) -> ConnectionNames | None:
    """The names of a connection's handshake; None if ``Handshakes`` did not make it."""
    return connection.names if isinstance(connection, _Connection) else None


def _profile(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([ALPN_HTTP_1_1])


class _Authorities(NamedTuple):
    """Whose client certificates are trusted: those of a file as it was read, or the system's.

    Every new certificate gets a context that must trust them, and by then the file may be gone.
    """

    pem: str | None

    @classmethod
    def of(cls, ca: Path | None) -> Self:
        # What is not ASCII is a comment between the certificates.
        return cls(ca.read_text("ascii", errors="ignore") if ca is not None else None)

    def trust(self, context: ssl.SSLContext) -> None:
        if self.pem is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        else:
            # No text at all would be a ValueError.
            context.load_verify_locations(cadata=self.pem or "\n")


class _ListeningContext(ssl.SSLContext):
    """A context whose connections copy their ClientHello while ``copies_hello`` is true."""

    copies_hello = False

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **options: Any
    ) -> ssl.SSLObject:
        connection = super().wrap_bio(incoming, outgoing, *args, **options)
        assert isinstance(connection, _Connection)
        connection.incoming, connection.outgoing = incoming, outgoing
        connection.copied_incoming = incoming if self.copies_hello else None
        return connection


class _Connection(ssl.SSLObject):
    """A server's side of a handshake, with two additions to asyncio's.

    If it fails, the client gets the alert that OpenSSL has written; asyncio and uvloop would drop
    it and reset the connection. And the ClientHello can be read before OpenSSL takes it: the SNI
    callback has no access to ALPN, which is negotiated after it.
    """

    _sslobj: Any  # of ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO
    copied_incoming: ssl.MemoryBIO | None = None
    names: ConnectionNames | None = None
    _hello = b""
    _offered: tuple[bytes, ...] | None = None
    _failure: ssl.SSLError | None = None

    @property
    def offered(self) -> tuple[bytes, ...]:
        """The protocols offered, if the hello was copied; the first call drops the copy."""
        if self._offered is None:
            self._offered = offered_protocols(self._hello)
            self._hello, self.copied_incoming = b"", None
        return self._offered

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002  as in ssl
        """As ``ssl``'s; uvloop requests 256 KiB, which would be allocated for every record.

        It also reads until nothing is left, and OpenSSL takes longer to find that out.
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
        if self.copied_incoming is not None and (arrived := self.copied_incoming.read()):
            self._hello += arrived
            self.copied_incoming.write(arrived)
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            if not self.outgoing.pending:
                raise
            # The event loop sends what is pending only if OpenSSL wants to read. The client
            # closes when it has read the alert, or the handshake times out.
            self._failure = error
            raise ssl.SSLWantReadError from error


def _wildcard(name: str) -> str:
    return "*." + name.partition(".")[2]
