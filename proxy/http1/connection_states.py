"""The states of a client's connection, written down as two tables.

The client and labgate each have a state; only both together determine what may happen next.

The client sends a ``HEAD``, then either nothing more or a body. A ``BODY`` of known length ends
by itself. A ``CHUNKED_BODY`` is the last thing that is read from a connection: only a parser
knows its end, and one that reads it in another way would find another request there. Behind
both the client is ``DONE``: bytes that arrive now are another request or another protocol. Only
labgate's response decides which, so until then they are buffered as bytes. After the response they
are a ``HEAD``; after a 101 the client has ``SWITCHED``. Behind a refused request everything is
``IGNORED``.

labgate is ``IDLE`` until a head is complete. Then the request is ``QUEUED``, usually
for a moment, but a client that does not read its responses gets no more of them. While labgate
is ``RESPONDING`` the proxying has the request. After the response labgate is ``IDLE`` again if
another request may follow. If not, it closes the connection, or it is ``LINGERING``: it has
sent its FIN and reads on for a moment, so that a client which still sends can read the response
(RFC 9112 section 9.6). After a 101 it has ``SWITCHED`` too, and an ``upgraded_connection`` takes
the connection over.

The tests hold that every change of a state is in its table, and that every change of the tables
happens.
"""

from __future__ import annotations

from enum import Enum, auto


class ClientState(Enum):
    """What the client's next bytes are."""

    HEAD = auto()
    BODY = auto()
    CHUNKED_BODY = auto()
    DONE = auto()
    SWITCHED = auto()
    IGNORED = auto()


class ServerState(Enum):
    """What labgate does for the client."""

    IDLE = auto()
    QUEUED = auto()
    RESPONDING = auto()
    SWITCHED = auto()
    LINGERING = auto()
    CLOSED = auto()


WITHOUT_REQUEST = (ServerState.IDLE, ServerState.LINGERING, ServerState.CLOSED)
"""labgate works on no request."""

CLIENT_TABLE = {
    ClientState.HEAD: {
        ClientState.BODY,
        ClientState.CHUNKED_BODY,
        ClientState.DONE,
        ClientState.IGNORED,
    },
    # A HEAD at once when the response was sent before the body had arrived.
    ClientState.BODY: {ClientState.DONE, ClientState.HEAD, ClientState.IGNORED},
    ClientState.CHUNKED_BODY: {ClientState.IGNORED},
    ClientState.DONE: {ClientState.HEAD, ClientState.SWITCHED, ClientState.IGNORED},
    ClientState.SWITCHED: set[ClientState](),
    ClientState.IGNORED: set[ClientState](),
}

SERVER_TABLE = {
    ServerState.IDLE: {ServerState.QUEUED, ServerState.LINGERING, ServerState.CLOSED},
    ServerState.QUEUED: {ServerState.RESPONDING, ServerState.CLOSED},
    ServerState.RESPONDING: {
        ServerState.IDLE,
        ServerState.SWITCHED,
        ServerState.LINGERING,
        ServerState.CLOSED,
    },
    ServerState.SWITCHED: set[ServerState](),
    ServerState.LINGERING: {ServerState.CLOSED},
    ServerState.CLOSED: set[ServerState](),
}
