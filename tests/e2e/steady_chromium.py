#!/usr/bin/env python3
"""Chromium that does not hear of network interfaces, on Linux.

A container that comes or goes adds or takes one. Chromium then drops what is under way
(ERR_NETWORK_CHANGED) and tells the page, though nothing changed for a server on loopback. It
listens on a netlink socket, and where it gets none it takes the network for steady
(net/base/address_tracker_linux.cc, AbortAndForceOnline): seccomp(2) refuses it one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

CHROMIUM = "/usr/bin/chromium"

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER = 2
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
CALL_NUMBER, FIRST_ARGUMENT = 0, 16


def refuse_netlink(socket_call: int) -> None:
    """For this process and all that it starts."""
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (LOAD_WORD, 0, 0, CALL_NUMBER),
            (JUMP_IF_EQUAL, 0, 3, socket_call),
            (LOAD_WORD, 0, 0, FIRST_ARGUMENT),
            (JUMP_IF_EQUAL, 0, 1, socket.AF_NETLINK),
            (RETURN, 0, 0, REFUSE),
            (RETURN, 0, 0, ALLOW),
        )
    )
    instructions = ctypes.create_string_buffer(program, len(program))
    described = ctypes.create_string_buffer(
        struct.pack("HL", len(program) // 8, ctypes.addressof(instructions))
    )
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(described), 0, 0),
    ):
        if libc.prctl(*(ctypes.c_ulong(value) for value in request)):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    if number := SOCKET_CALL.get(platform.machine()):
        refuse_netlink(number)
    os.execv(CHROMIUM, [CHROMIUM, *sys.argv[1:]])
