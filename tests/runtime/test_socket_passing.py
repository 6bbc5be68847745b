"""Messages and sockets that one process passes to another."""

from __future__ import annotations

import os
import resource
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


def test_more_sockets_than_a_message_can_have() -> None:
    """As a labgate of sixty workers has; the kernel would pass a part of them, or say EINVAL."""
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(OSError, match="more than 253 sockets"):
            send(near, {}, [near.fileno()] * 254)
        send(near, {}, [near.fileno()] * 253)
        for descriptor in receive(far)[1]:
            os.close(descriptor)


def test_more_sockets_than_this_process_may_open() -> None:
    near, far = socket.socketpair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with near, far:
        send(near, {}, [near.fileno()] * 3)
        resource.setrlimit(resource.RLIMIT_NOFILE, (far.fileno() + 2, hard))
        try:
            with pytest.raises(OSError, match="more sockets than this process may open"):
                receive(far)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
