"""Parses what people write for a host, a domain or a site, and tells what kind of host it is.

Tested by tests/config/test_load.py.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from proxy.rules.site import WebOrigin

_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_PRIVATE = ("internal", "invalid", "lan", "local", "localhost", "test")


def host_and_port(text: str) -> tuple[str, int]:
    """Parse ``HOST:PORT``, with IPv6 addresses in brackets.

    Raises:
        ValueError: It is malformed.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT; write for example 127.0.0.1:9464")
    return host.removeprefix("[").removesuffix("]"), int(port)


def parse_web_origin(text: str) -> WebOrigin:
    """Parse ``https://NAME[:PORT]``, or ``http://`` for this machine.

    Raises:
        ValueError: It is malformed; with what to write.
    """
    scheme, separator, authority = text.strip().rstrip("/").partition("://")
    if not separator or scheme not in ("https", "http"):
        raise ValueError(f"{text!r} is not the address of a site, as https://portal.example.org")
    if scheme == "https":
        return parse_domain(authority, 443)
    origin = parse_domain(authority, 80)._replace(scheme="http")
    if not is_loopback_name(origin.host):
        raise ValueError(f"{text!r}: anybody on the way can change a page without TLS; use https")
    return origin


def parse_domain(text: str, default_port: int) -> WebOrigin:
    """Parse ``NAME[:PORT]`` as a public HTTPS origin.

    Raises:
        ValueError: It is malformed; with what to write.
    """
    text = text.strip()
    host, separator, port = text.lower().partition(":")
    if "*" in text:
        message = f"{text!r}: wildcards are not supported; name each domain, as lab.example.org"
        raise ValueError(message)
    if "/" in text:
        message = f"{text!r} is an address; write the bare name, for example lab.example.org"
        raise ValueError(message)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        separator, port = rest[:1], rest[1:]
        if not is_address(host) or ":" not in host or separator not in ("", ":"):
            message = f"{text!r} is not an IPv6 address; write for example [2001:db8::1]:8443"
            raise ValueError(message)
        host = str(ip_address(host))  # as browsers write it
    elif is_address(text):
        if ":" in text:
            message = f"{text!r}: write an IPv6 address in brackets: [{text}]"
            raise ValueError(message)
    elif not host.isascii():
        raise ValueError(f"{text!r}: {_in_ascii(host)}")
    elif not _HOST_NAME.fullmatch(host):
        message = f"{text!r} is not a domain name; write NAME or NAME:PORT, as lab.example.org"
        raise ValueError(message)
    if separator and not (port.isdecimal() and 0 < int(port) <= 65535):
        message = f"{text!r}: the port must be a number from 1 to 65535"
        raise ValueError(message)
    return WebOrigin("https", host, int(port) if port else default_port)


def is_loopback_name(host: str) -> bool:
    """Whether only this machine is meant (RFC 6761 section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ip_address(host).is_loopback


def is_public_name(host: str) -> bool:
    """Whether it can be a public domain, for which a public CA issues certificates.

    Not one without a dot, and none that is set apart for private use (RFC 6761, RFC 6762,
    RFC 8375, and ICANN's resolution 2024.07.29.06 for ``internal``).
    """
    labels = host.split(".")
    return len(labels) > 1 and labels[-1] not in _PRIVATE and labels[-2:] != ["home", "arpa"]


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _in_ascii(host: str) -> str:
    try:
        return f"write the name as it goes over the wire: {host.encode('idna').decode('ascii')}"
    except UnicodeError:
        return "this is not a domain name, as lab.example.org is"
