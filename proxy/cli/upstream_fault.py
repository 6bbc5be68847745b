"""What is wrong with the upstream of ``labgate inspect --upstream``, and the option that mends it.

Tested by tests/cli/test_upstream_fault.py.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from proxy.net.spoken_tls import speaks_tls
from proxy.net.upstream_address import UpstreamAddress
from proxy.symptoms.explain import HTTPS_WANTED

_PROBE_SECONDS = 3.0
_CONTENT_SECONDS = 0.3
"""For the rest of an answer; not every server ends the connection then."""
_MAX_ANSWER_OCTETS = 2048
_ALERT = b"\x15\x03"
"""The beginning of an alert of TLS (RFC 8446 section 5.1), in answer to what is no TLS."""


async def upstream_fault(address: UpstreamAddress, seconds: float = _PROBE_SECONDS) -> str:
    """Ask it once; what is wrong, as a sentence; empty if it answers HTTP. Never raises.

    Args:
        address: As it was given.
        seconds: How long each of at most two connections may take.
    """
    context = None if address.tls is None else address.tls.context()
    try:
        answer = await _answer(address, context, seconds)
    except ssl.SSLCertVerificationError as error:
        return (
            f"{address} has a certificate that is not trusted here ({error.verify_message}): "
            "requests get 503. Name its authority, or the certificate itself, with --ca FILE, or "
            "trust any with --insecure."
        )
    except TimeoutError:
        if context is not None and await _speaks_http(address, seconds):
            return _plain(address)
        return (
            f"{address} takes connections and has not answered within {seconds:g} s: is it the "
            "address of Jupyter, or of a proxy in front of it?"
        )
    except (ssl.SSLError, ConnectionResetError) as error:
        if context is not None and await _speaks_http(address, seconds):
            return _plain(address)
        if context is None and await _speaks_tls(address, seconds):
            return _encrypted(address)
        return f"{address} ends the connection ({error.strerror or error}): requests get 503."
    except OSError as error:
        return (
            f"Nothing answers at {address} ({error.strerror or error}): requests get 503 until "
            "something does. Start it, or correct --upstream."
        )
    if context is None and (
        any(words in answer for words in HTTPS_WANTED) or answer.startswith(_ALERT)
    ):
        return _encrypted(address)
    if answer.startswith(b"HTTP/"):
        return ""
    if not answer and context is None and await _speaks_tls(address, seconds):
        return _encrypted(address)
    return f"What answers at {address} does not speak HTTP: correct --upstream."


def _plain(address: UpstreamAddress) -> str:
    return (
        f"{address} speaks plain HTTP, not HTTPS: requests get 503. Give it as --upstream "
        f"http{str(address).removeprefix('https')}."
    )


def _encrypted(address: UpstreamAddress) -> str:
    return (
        f"{address} speaks HTTPS, not plain HTTP. Give it as --upstream "
        f"https{str(address).removeprefix('http')}."
    )


async def _answer(
    address: UpstreamAddress, context: ssl.SSLContext | None, seconds: float
) -> bytes:
    """The beginning of its answer to a GET of ``/api``, which needs no login.

    Raises:
        OSError: As ``ssl.SSLError`` and ``TimeoutError`` are.
    """
    async with asyncio.timeout(seconds):
        if address.path is not None:
            reader, writer = await asyncio.open_unix_connection(address.path)
        else:
            reader, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
        try:
            host = address.origin.authority
            writer.write(f"GET {address.base_path}api HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            answer = await reader.read(_MAX_ANSWER_OCTETS)
            if answer[8:13] == b" 400 ":
                # Why stands in its content.
                with suppress(TimeoutError):
                    async with asyncio.timeout(_CONTENT_SECONDS):
                        while piece := await reader.read(_MAX_ANSWER_OCTETS - len(answer)):
                            answer += piece
            return answer
        finally:
            writer.transport.abort()


async def _speaks_http(address: UpstreamAddress, seconds: float) -> bool:
    with suppress(OSError):
        return (await _answer(address, None, seconds)).startswith(b"HTTP/")
    return False


async def _speaks_tls(address: UpstreamAddress, seconds: float) -> bool:
    return address.path is None and await speaks_tls(address.host, address.port, seconds)
