"""Messages and sockets that one process passes to another."""

from __future__ import annotations

import os
import socket

import pytest

from proxy.runtime.socket_passing import receive, send


def test_a_message_with_sockets() -> None:
    near, far = socket.socketpair()
    with near, far, socket.create_server(("127.0.0.1", 0)) as one:
        send(near, {"names": ["https"], "new": "ü"}, [one.fileno()])
        send(near, {"serving": True})
        message, descriptors = receive(far)
        assert message == {"names": ["https"], "new": "ü"}
        with socket.socket(fileno=descriptors[0]) as same:
            assert same.getsockname() == one.getsockname()
            assert not os.get_inheritable(same.fileno())
        assert receive(far) == ({"serving": True}, [])


def test_the_end_of_the_other_process() -> None:
    near, far = socket.socketpair()
    near.sendall(b'{"half"')
    near.close()
    with far, pytest.raises(ConnectionError):
        receive(far)
