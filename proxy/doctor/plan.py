"""The probes in their order, and which of them need which.

A probe whose need has found something, or could not be tried, is not tried: where Origin is
refused, saving and kernels fail, too, and would only hide the one thing to mend.

Tested by tests/doctor/test_nginx.py and tests/doctor/test_configurations.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .examination import Examination, ProbeFunction
from .probes import bodies, calls, entry, foreign, login, sockets


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that is tried.

    Attributes:
        name: As in ``passed`` of the JSON.
        title: What is tried, for people.
        run: Tries it.
        needs: The probes that must have found nothing.
        applies: Why it is left out; empty if it is not. Others may need it all the same.
    """

    name: str
    title: str
    run: ProbeFunction
    needs: tuple[str, ...] = ()
    left_out: Callable[[Examination], str] = lambda _: ""


PLAIN_HTTP = "the address is plain HTTP"
"""Why a probe of TLS is left out: there is nothing to try."""


def _certificate(examination: Examination) -> str:
    if not examination.browser.target.tls:
        return PLAIN_HTTP
    return "" if examination.trusted else "--insecure"


def _redirect(examination: Examination) -> str:
    target = examination.browser.target
    if target.tls and examination.plain_http is None:
        return "the port of plain HTTP: --http-port"
    # A public name must have HTTPS; on this machine nothing needs to be encrypted.
    return PLAIN_HTTP if target.loopback and not target.tls else ""


def _https(examination: Examination) -> str:
    return "" if examination.browser.target.tls else PLAIN_HTTP


def _silence(examination: Examination) -> str:
    return "" if examination.silence_seconds else "70 s: --long"


PROBES = (
    Probe("address", "Name and address", entry.try_address),
    Probe("certificate", "Certificate", entry.try_certificate, ("address",), _certificate),
    Probe("jupyter", "Jupyter answers, Host", entry.try_jupyter, ("certificate",)),
    Probe("redirect", "Plain HTTP redirects to HTTPS", entry.try_redirect, ("jupyter",), _redirect),
    Probe("two-hosts", "Two Host fields are refused", entry.try_two_hosts, ("jupyter",)),
    Probe("path", "Encoded paths", entry.try_path, ("jupyter",)),
    Probe("head-size", "16 KiB of cookies", entry.try_head_size, ("jupyter",)),
    Probe("login", "Login, Origin, cookies", login.try_login, ("jupyter",)),
    Probe("cookie-flags", "Cookie flags, X-Forwarded-Proto", login.try_flags, ("login",), _https),
    Probe("post", "POST with Origin and XSRF token", calls.try_post, ("login",)),
    Probe("methods", "DELETE, PUT, PATCH", calls.try_methods, ("post",)),
    Probe("page", "The page /lab is not cached", login.try_page, ("login",)),
    Probe("compression", "Compression", login.try_compression, ("page",)),
    Probe("kernel", "Start a kernel", calls.try_kernel, ("methods",)),
    Probe("kernel-socket", "WebSocket of the kernel", sockets.try_kernel_socket, ("kernel",)),
    Probe("terminal", "Start a terminal", calls.try_terminal, ("methods",)),
    Probe(
        "terminal-socket",
        "WebSocket of a terminal",
        sockets.try_terminal_socket,
        ("terminal", "kernel-socket"),
    ),
    Probe("events-socket", "WebSocket of events", sockets.try_events_socket, ("kernel-socket",)),
    Probe(
        "http2-socket",
        "WebSocket over HTTP/2",
        sockets.try_http2_socket,
        ("events-socket",),
        _https,
    ),
    Probe("save", "Save a file", calls.try_save, ("kernel-socket",)),
    Probe("foreign-calls", "Other sites are refused: calls", foreign.try_foreign_calls, ("post",)),
    Probe(
        "foreign-socket",
        "Other sites are refused: WebSockets",
        foreign.try_foreign_socket,
        ("kernel-socket", "foreign-calls"),
    ),
    Probe("from-kernel", "20 MiB from the kernel", sockets.try_from_kernel, ("kernel-socket",)),
    Probe(
        "to-kernel", "9 MiB to the kernel", sockets.try_to_kernel, ("kernel-socket", "from-kernel")
    ),
    Probe("upload-streams", "Uploads pass at once", bodies.try_upload_head, ("methods",)),
    Probe("upload", "50 MB up", bodies.try_upload, ("methods",)),
    Probe("download", "50 MB down", bodies.try_download, ("save", "upload")),
    Probe(
        "download-streams",
        "Downloads wait for their reader",
        bodies.try_unread_download,
        ("download",),
    ),
    Probe("silence", "70 s of silence", sockets.try_silence, ("events-socket",), _silence),
)
