"""Holds every change of a connection's state against the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proxy.http1.connection_states import CLIENT_TABLE, SERVER_TABLE, ClientState, ServerState
from proxy.http1.request_parser import RequestParser
from proxy.http1.server_connection import ServerConnection

Change = tuple[ClientState | ServerState, ClientState | ServerState]


def is_in_table(change: Change) -> bool:
    """Whether the first state may become the second one."""
    match change:
        case (ClientState() as old, ClientState() as new):
            return new in CLIENT_TABLE[old]
        case (ServerState() as old, ServerState() as new):
            return new in SERVER_TABLE[old]
    return False


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Change]]:
    """Collect every change of a state, of all connections; in the end each must be in its table."""
    changes: set[Change] = set()

    def watch(kind: type, attribute: str) -> None:
        def set_attribute(self: object, name: str, value: Any) -> None:
            if name == attribute and (old := getattr(self, name, value)) is not value:
                changes.add((old, value))
            object.__setattr__(self, name, value)

        monkeypatch.setattr(kind, "__setattr__", set_attribute)

    watch(ServerConnection, "_state")
    watch(RequestParser, "state")
    yield changes
    assert [change for change in changes if not is_in_table(change)] == []
