"""The CA's HTTP client: signed requests, nonces, timeouts, and errors in sentences."""

from __future__ import annotations

import re
import ssl
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
from acme import client, errors, messages
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWK

from proxy import __version__

from .problems import (
    ObtainError,
    Problem,
    explain_no_directory,
    explain_unreachable,
    explain_untrusted,
)

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0

MAX_NONCE_RETRIES = 16
"""How often a request is sent again because the CA rejects its nonce: a CA of several machines
that do not know each other's nonces may reject many. certbot's library does it once.

Where every second nonce is rejected, a request fails with a chance of 2^-17. An issuance for two
names makes about 11 requests, so one in 12 000 fails, and 100 in a row pass in 99 of 100 runs.
With 10 retries they would pass in 6 of 10 runs."""

MAX_RECONNECTS = 2
"""How often a request is sent again after its connection ended before the response."""

RECONNECT_DELAY_SECONDS = 1.0


class Stopped(Exception):  # noqa: N818  reads as what happened
    """The attempt was cancelled: labgate is shutting down."""


class AcmeHttpClient(client.ClientNetwork):
    """certbot's client, with more retries for rejected nonces and with timeouts.

    Args:
        key: The account's.
        directory: The CA's directory URL, for error messages.
        ca_file: Trusted for the CA's own TLS certificate; None for the usual public roots.
        stop: Set, no further request is sent.

    Attributes:
        retry_at: From the last response's Retry-After; None without one.
        clock_skew: How far the CA's clock is ahead of ours, from the last response's Date.
        status: Of the last response.
    """

    def __init__(
        self, key: JWK, directory: str, ca_file: Path | None, stop: threading.Event
    ) -> None:
        super().__init__(key, alg=ES256, user_agent=f"labgate/{__version__}")
        self._trust: bool | str = True if ca_file is None else _usable_ca_file(ca_file)
        self._url = directory
        self._ca_file = ca_file
        self._stop = stop
        self.retry_at: datetime | None = None
        self.clock_skew = timedelta(0)
        self.status = 0

    @property
    def retry_seconds(self) -> float:
        """How long the last response asks to wait; 0 without a Retry-After."""
        if self.retry_at is None:
            return 0.0
        return max((self.retry_at - datetime.now(UTC)).total_seconds(), 0.0)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for _ in range(MAX_NONCE_RETRIES):
            try:
                return self._post_once(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return self._post_once(*args, **kwargs)

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        # The library's type is bool; requests takes the path of a file as well.
        self.verify_ssl = self._trust  # type: ignore[assignment]
        for lost in range(MAX_RECONNECTS + 1):
            if self._stop.is_set():
                raise Stopped
            try:
                response = super()._send_request(method, url, *args, **kwargs)
            except requests.exceptions.SSLError as error:
                sentence = explain_untrusted(self._url, _reason(error), self._ca_file)
                raise ObtainError(sentence) from None
            except requests.exceptions.Timeout as error:
                raise ObtainError(explain_unreachable(self._url, _reason(error))) from None
            except requests.exceptions.ConnectionError as error:
                if lost < MAX_RECONNECTS and not _is_refused(error):
                    self._stop.wait(RECONNECT_DELAY_SECONDS)
                    continue
                raise ObtainError(explain_unreachable(self._url, _reason(error))) from None
            except (requests.exceptions.RequestException, ValueError) as error:
                raise ObtainError(explain_no_directory(self._url, str(error))) from None
            else:
                break
        self._read_headers(response)
        return response

    def _read_headers(self, response: requests.Response) -> None:
        now = datetime.now(UTC)
        self.status = response.status_code
        self.retry_at = retry_after(response.headers.get("Retry-After", ""), now)
        with suppress(ValueError, TypeError):
            self.clock_skew = parsedate_to_datetime(response.headers.get("Date", "")) - now
        if not response.ok and self.REPLAY_NONCE_HEADER in response.headers:
            # Use the nonce of the error response (RFC 8555 section 6.5): after a restart of the
            # CA all older ones are invalid.
            self._nonces.clear()
            with suppress(errors.BadNonce):
                self._add_nonce(response)


def connect_to_ca(http: AcmeHttpClient, directory: str) -> client.ClientV2:
    """Fetch the CA's directory.

    Raises:
        ObtainError: It cannot be fetched, or is no ACME directory.
    """
    try:
        found = client.ClientV2.get_directory(directory, http)
        for resource in ("newNonce", "newAccount", "newOrder"):
            found[resource]
    except (errors.ClientError, AttributeError, KeyError, TypeError, JoseError) as error:
        status = http.status if http.status >= 400 else 0
        if status >= 500:
            sentence = explain_unreachable(directory, f"it answers with HTTP {status}")
            raise ObtainError(sentence, http.retry_at) from None
        said = f"it answers with HTTP {status}" if status else str(error)
        raise ObtainError(explain_no_directory(directory, said)) from None
    except messages.Error as error:
        raise ObtainError(explain_no_directory(directory, error.detail or error.typ)) from None
    return client.ClientV2(found, http)


def status_problem(status: int) -> Problem:
    """The problem that a response without a problem document means."""
    code = {429: "rateLimited"}.get(status, "serverInternal" if status >= 500 else "malformed")
    return Problem(code, f"HTTP {status}")


def problem_of(error: messages.Error, name: str = "", challenge: str = "") -> Problem:
    """The CA's problem; of a compound problem the first subproblem."""
    code = str(error.typ).rsplit(":", 1)[-1]
    identifier = error.identifier
    if identifier is not None:
        name = identifier.value
    if error.subproblems and code in ("compound", "malformed", "rejectedIdentifier"):
        first = problem_of(error.subproblems[0], name, challenge)
        return Problem(first.code, first.detail or error.detail or "", first.name, challenge)
    return Problem(code, error.detail or error.title or "", name, challenge)


def retry_after(field: str, now: datetime) -> datetime | None:
    """The moment that Retry-After means (RFC 9110 section 10.2.3); None if it is invalid."""
    if field.strip().isdecimal():
        return now + timedelta(seconds=min(int(field), 10**8))
    with suppress(ValueError, TypeError):
        moment = parsedate_to_datetime(field)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None


def _usable_ca_file(ca_file: Path) -> str:
    """The path, if OpenSSL can load it.

    Raises:
        ObtainError: It cannot.
    """
    try:
        ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = "no PEM certificates" if isinstance(error, ssl.SSLError) else error.strerror
        raise ObtainError(
            f"acme.ca_file ({ca_file}) cannot be used ({reason}). Give the CA's root "
            "certificate in PEM form."
        ) from None
    return str(ca_file)


def _is_refused(error: Exception) -> bool:
    return "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)


def _reason(error: Exception) -> str:
    """The part of requests' nested error message that names the cause."""
    text = repr(error)
    for pattern in (
        r"certificate verify failed: (.+?) \(_ssl",
        r"\[Errno -?\d+\] ([^'\")]+)",
        r"\[SSL: ([A-Z_]+)\]",
    ):
        if found := re.search(pattern, text):
            return found[1]
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {CONNECT_SECONDS:.0f} s"
    if isinstance(error, requests.exceptions.Timeout):
        return f"no answer within {READ_SECONDS:.0f} s"
    return "the connection ended before the answer"
