"""Whether Jupyter is there at all: requests that need no login.

Tested by tests/doctor/test_nginx_configurations.py and tests/doctor/test_faults.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace

from proxy.doctor.answer import NO_HTTP, UNREADABLE
from proxy.doctor.browser import USER_AGENT
from proxy.doctor.examination import Examination
from proxy.doctor.finding import Finding
from proxy.doctor.judge import entry
from proxy.doctor.raw import FAILURES, connect, exchange, hang_up, in_words
from proxy.errors import StartError
from proxy.net.spoken_tls import speaks_tls, trusting_all

CONNECT_SECONDS = 10.0
TLS_SECONDS = 3.0
"""How long to try the other scheme at the same port."""

UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's codes (``X509_V_ERR_…``) where the certificates end in one that is not trusted."""


async def try_address(examination: Examination) -> Finding | None:
    """The name leads to an address, and something listens there."""
    target = examination.browser.target
    sent = f"a connection to {target.socket or f'{target.host} port {target.port}'}"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await connect(target, None)
    except FAILURES as error:
        facts = {"unknown_name": target.host} if isinstance(error, socket.gaierror) else {}
        return Finding("unreachable", "the address", sent, in_words(error), facts)
    await hang_up(writer)
    return None


async def try_certificate(examination: Examination) -> Finding | None:
    """Browsers trust the certificate: its chain, its names, its dates."""
    target = examination.browser.target
    sent = f"a TLS handshake for {target.host}"
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await connect(target, examination.browser.tls)
    except ssl.SSLCertVerificationError as error:
        words, pem = await _presented(examination)
        received = f"{error.verify_message}: {words}"
        facts = {"certificate": pem} if error.verify_code in UNKNOWN_ISSUER else {}
        return Finding("certificate", "the certificate", sent, received, facts)
    except FAILURES as error:
        received = in_words(error)
        if "WRONG_VERSION_NUMBER" in received or "RECORD_LAYER_FAILURE" in received:
            return await _without_tls(examination, sent)
        return Finding("unreachable", "TLS", sent, received)
    await hang_up(writer)
    return None


async def _without_tls(examination: Examination, sent: str) -> Finding:
    """What is spoken where TLS is not: plain HTTP, or something else."""
    plain = replace(examination.browser.target, scheme="http")
    asked = f"GET {plain.url}api"
    head = _head(f"{plain.base}/api", plain.authority)
    answer = await exchange(plain, None, head, asked, seconds=TLS_SECONDS)
    if answer.failure.startswith(NO_HTTP):
        return Finding("not-jupyter", "the address", f"{sent}; {asked}", answer.received)
    if not answer.status and not answer.failure.startswith(UNREADABLE):
        return Finding("unreachable", "TLS", sent, f"no TLS, and no HTTP: {answer.received}")
    examination.browser.answers.append(answer)
    facts = {"instead": plain.url}
    return Finding("unreachable", "TLS", sent, "no TLS: plain HTTP is spoken there", facts)


async def _presented(examination: Examination) -> tuple[str, str]:
    """The certificate that is presented, in words and in PEM form, or why there is none.

    The server is asked who it is, unsafely.
    """
    context = trusting_all()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await connect(examination.browser.target, context)
    except FAILURES as error:
        return in_words(error), ""
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    await hang_up(writer)
    target = examination.browser.target
    who = await exchange(target, context, _head("/", target.authority), "GET /", seconds=3)
    examination.browser.answers.append(who)
    return entry.certificate_in_words(der), ssl.DER_cert_to_PEM_cert(der)


async def try_jupyter(examination: Examination) -> Finding | None:
    """``GET /api`` brings Jupyter's version: Host is accepted, and the path is right.

    Raises:
        StartError: The whole site is at another address.
    """
    answer = await examination.browser.get("/api")
    target = examination.browser.target
    if moved := entry.moved_to(answer, target):
        raise StartError(
            f"{target.url} redirects to {moved}, where no secret is sent unasked. "
            f"Examine that address: labgate doctor {moved}"
        )
    if found := entry.judge_jupyter(answer, target):
        if answer.status in (0, 400) and not target.socket:
            tls = not target.tls and await speaks_tls(target.host, target.port, TLS_SECONDS)
            found = entry.judge_scheme(answer, target, tls=tls) or found
        if found.id == "base-url":
            login = await examination.browser.get("/login")
            found = entry.judge_other_server(found, (answer, login))
        return found
    if not target.base:
        return None
    return entry.judge_base(await examination.browser.get(f"{entry.PLAIN}/"), target.base)


async def try_redirect(examination: Examination) -> Finding | None:
    """Plain HTTP for the same name is redirected to HTTPS."""
    target = examination.browser.target
    if not target.tls:
        return entry.judge_redirect(await examination.browser.get("/api"))
    assert examination.plain_http is not None
    plain = replace(target, scheme="http", port=examination.plain_http)
    head = _head(f"{target.base}/lab", plain.authority)
    sent = f"GET {plain.origin}{target.base}/lab"
    return entry.judge_redirect(await exchange(plain, None, head, sent))


async def try_two_hosts(examination: Examination) -> Finding | None:
    """A request with two Host fields is refused."""
    target = examination.browser.target
    head = _head(f"{target.base}/api", target.authority, "Host: two.example")
    sent = f"GET {target.base}/api with Host: {target.authority}, Host: two.example"
    return entry.judge_two_hosts(await examination.browser.raw(head, sent))


def _head(path: str, authority: str, *more: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {authority}", *more, f"User-Agent: {USER_AGENT}"]
    return "\r\n".join([*lines, "Accept: */*", "Connection: close", "", ""]).encode("ascii")


async def try_path(examination: Examination) -> Finding | None:
    """Encoded characters of a path arrive as they were sent: %2F, space, @ and %."""
    encoded = await examination.browser.get(f"{entry.ECHOED}/", cookies=False)
    plain = await examination.browser.get(f"{entry.PLAIN}/", cookies=False)
    return entry.judge_path(encoded, plain, examination.browser.target.base)


async def try_head_size(examination: Examination) -> Finding | None:
    """16 KiB of cookies arrive."""
    many = "; ".join(f"labgate-doctor-{n}={'x' * 4070}" for n in range(4))
    answer = await examination.browser.get("/api", {"Cookie": many}, cookies=False)
    answer = replace(
        answer, sent=f"GET {examination.browser.target.base}/api with 16 KiB of Cookie"
    )
    return entry.judge_head_size(answer)
