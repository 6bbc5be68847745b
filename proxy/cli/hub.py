"""Parses the flags and the environment variables of ``labgate hub``.

Tested by tests/cli/test_hub_options.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import combinations
from pathlib import Path
from typing import Literal

from proxy.cli.hub_options import KEEP_ALIVE_MS
from proxy.config.addresses import parse_domain
from proxy.errors import UsageError
from proxy.hub.options import Endpoint, HubOptions, TlsFiles
from proxy.rules.head import Field
from proxy.rules.site import WebOrigin

DEFAULT_PORT = 8000
MAX_WORKERS = 64
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104
LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")

_MOZILLA = "labgate speaks TLS 1.2 and 1.3 with Mozilla's intermediate profile"
WITHOUT_EFFECT = {
    "ssl_protocol": f"--ssl-protocol has no effect: {_MOZILLA}.",
    "ssl_ciphers": f"--ssl-ciphers has no effect: {_MOZILLA}.",
    "ssl_allow_rc4": "--ssl-allow-rc4 has no effect: RC4 is broken (RFC 7465).",
    "ssl_dhparam": "--ssl-dhparam has no effect: only elliptic curves are used.",
    "storage_backend": "--storage-backend has no effect: it names a module of node. "
    "--storage FILE keeps the routes over a restart.",
}


def hub_options(parsed: argparse.Namespace, environment: Mapping[str, str]) -> HubOptions:
    """The options from the command line and the environment.

    Raises:
        UsageError: An option is invalid, or two contradict each other.
    """
    _check_alternatives(parsed)
    warnings = [text for name, text in WITHOUT_EFFECT.items() if getattr(parsed, name)]
    token = environment.get("CONFIGPROXY_AUTH_TOKEN", "")
    api = _api_endpoint(parsed)
    if not token and api.socket is None and not all(_is_loopback(one) for one in api.addresses):
        warnings.append(
            f"Without CONFIGPROXY_AUTH_TOKEN the API listens on loopback only, not on {api}."
        )
        api = Endpoint(LOOPBACK_ADDRESSES, api.port, optional=("::1",))
    passphrase = environment.get("CONFIGPROXY_SSL_KEY_PASSPHRASE", "")
    api_passphrase = environment.get("CONFIGPROXY_API_SSL_KEY_PASSPHRASE", "")
    redirects = parsed.redirect_port is not None and parsed.socket is None
    public = _endpoint(parsed.ip, parsed.port or DEFAULT_PORT, parsed.socket)
    metrics = _metrics_endpoint(parsed)
    redirect = public._replace(port=parsed.redirect_port) if redirects else None
    _check_places({"": public, "redirect-": redirect, "api-": api, "metrics-": metrics})
    return HubOptions(
        public=public,
        api=api,
        metrics=metrics,
        tls=_tls_files(parsed, "ssl", passphrase),
        api_tls=_tls_files(parsed, "api_ssl", api_passphrase),
        client_ca=parsed.client_ssl_ca,
        client_cert=parsed.client_ssl_cert,
        client_key=parsed.client_ssl_key,
        insecure=parsed.insecure,
        token=token,
        default_target=parsed.default_target,
        error_target=parsed.error_target,
        error_path=parsed.error_path,
        redirect_port=parsed.redirect_port if redirects else None,
        redirect_to=parsed.redirect_to,
        pid_file=parsed.pid_file,
        x_forward=parsed.x_forward,
        prepend_path=parsed.prepend_path,
        include_prefix=parsed.include_prefix,
        auto_rewrite=parsed.auto_rewrite,
        change_origin=parsed.change_origin,
        protocol_rewrite=parsed.protocol_rewrite,
        custom_headers=tuple(_field(text) for text in parsed.custom_header),
        host_routing=parsed.host_routing,
        log_level="warning" if parsed.log_level == "warn" else parsed.log_level,
        log_format=_log_format(parsed, environment),
        timeout_ms=parsed.timeout,
        proxy_timeout_ms=parsed.proxy_timeout,
        keep_alive_timeout_ms=parsed.keep_alive_timeout or KEEP_ALIVE_MS,
        storage=parsed.storage,
        public_origin=_origin(parsed.public_origin),
        workers=parsed.workers,
        warnings=tuple(warnings),
    )


def _check_alternatives(parsed: argparse.Namespace) -> None:
    for name in ("", "api_", "metrics_"):
        given = [
            f"--{name}{part}".replace("_", "-")
            for part in ("socket", "ip", "port")
            if getattr(parsed, name + part) is not None
        ]
        if getattr(parsed, f"{name}socket") is not None and len(given) > 1:
            raise UsageError(f"{given[0]} and {given[1]} exclude each other: drop one.")
    if parsed.error_target and parsed.error_path is not None:
        raise UsageError("--error-target and --error-path exclude each other: drop one.")
    if parsed.redirect_port is not None and parsed.ssl_cert is None:
        raise UsageError("--redirect-port redirects to HTTPS: give --ssl-cert and --ssl-key, too.")
    if not 1 <= parsed.workers <= MAX_WORKERS:
        raise UsageError(f"--workers {parsed.workers}: a number from 1 to {MAX_WORKERS}.")
    for name in ("timeout", "proxy_timeout", "keep_alive_timeout"):
        if getattr(parsed, name) < 0:
            raise UsageError(f"--{name.replace('_', '-')} is a number of milliseconds from 0 on.")
    for name in ("port", "api_port", "metrics_port", "redirect_port", "redirect_to"):
        port = getattr(parsed, name)
        if port is not None and not 0 <= port < 65536:
            raise UsageError(f"--{name.replace('_', '-')} {port} is no port: 1 to 65535.")


def _check_places(endpoints: Mapping[str, Endpoint | None]) -> None:
    """Refuse two listeners at one address and port.

    Args:
        endpoints: By how the names of their flags begin.
    """
    places = [(name, place) for name, place in endpoints.items() if place is not None]
    for (one, here), (other, there) in combinations(places, 2):
        if here.overlaps(there):
            kind = "port" if here.socket is None else "socket"
            where = here.port if here.socket is None else here.socket
            raise UsageError(
                f"--{one}{kind} and --{other}{kind} are both {where}: give each another."
            )


def _api_endpoint(parsed: argparse.Namespace) -> Endpoint:
    default = (parsed.port or DEFAULT_PORT) + 1
    ip = "localhost" if parsed.api_ip is None else parsed.api_ip
    return _endpoint(ip, parsed.api_port or default, parsed.api_socket)


def _metrics_endpoint(parsed: argparse.Namespace) -> Endpoint | None:
    if parsed.metrics_port is None and parsed.metrics_socket is None:
        return None
    return _endpoint(parsed.metrics_ip, parsed.metrics_port, parsed.metrics_socket)


def _endpoint(ip: str | None, port: int, socket: Path | None) -> Endpoint:
    if socket is not None:
        return Endpoint((), None, socket)
    if ip in (None, "", "*"):
        return Endpoint(ALL_ADDRESSES, port, optional=ALL_ADDRESSES)
    if ip == "localhost":
        return Endpoint(LOOPBACK_ADDRESSES, port, optional=LOOPBACK_ADDRESSES)
    return Endpoint((str(ip).strip("[]"),), port)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def _tls_files(parsed: argparse.Namespace, group: str, passphrase: str) -> TlsFiles | None:
    cert, key = getattr(parsed, f"{group}_cert"), getattr(parsed, f"{group}_key")
    if cert is None and key is None:
        return None
    if cert is None:
        flag = group.replace("_", "-")
        raise UsageError(f"--{flag}-key belongs to a certificate: give --{flag}-cert, too.")
    # Also without --…-reject-unauthorized: node refuses whoever it asks and cannot verify.
    required = getattr(parsed, f"{group}_request_cert")
    return TlsFiles(cert, key or cert, getattr(parsed, f"{group}_ca"), passphrase, required)


def _log_format(
    parsed: argparse.Namespace, environment: Mapping[str, str]
) -> Literal["text", "json"]:
    chosen = parsed.log_format or environment.get("LABGATE_LOG__FORMAT") or "text"
    if chosen not in ("text", "json"):
        raise UsageError(f"LABGATE_LOG__FORMAT is {chosen!r}; write text or json.")
    return "json" if chosen == "json" else "text"


def _field(text: str) -> Field:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise UsageError(f"--custom-header {text!r} is not NAME:VALUE.")
    try:
        return name.strip().encode("ascii"), value.strip().encode("latin-1")
    except UnicodeEncodeError:
        raise UsageError(f"--custom-header {text!r} has characters that no field has.") from None


def _origin(text: str) -> WebOrigin | None:
    if not text:
        return None
    scheme, separator, rest = text.rstrip("/").partition("://")
    if not separator or scheme not in ("http", "https"):
        raise UsageError(
            f"--public-origin {text!r}: write scheme and host, as https://hub.example.org."
        )
    try:
        origin = parse_domain(rest, 443 if scheme == "https" else 80)
    except ValueError as error:
        raise UsageError(f"--public-origin {text!r}: {error}.") from None
    return WebOrigin("https" if scheme == "https" else "http", origin.host, origin.port)
