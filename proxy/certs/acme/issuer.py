"""Issues one certificate: from a private key to files in service.

Everything here blocks on the network: call it in a thread of its own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from acme import client, crypto_util, errors, messages
from cryptography import x509
from josepy.errors import Error as JoseError

from proxy.certs.files import CertificatePair
from proxy.errors import StartError

from .account import Account, account_folder
from .certificate_request import CertificateRequest
from .client import AcmeHttpClient, Stopped, connect_to_ca, problem_of, status_problem
from .order import ChallengesFailed, IssuedChain, OrderClient, ReportProgress
from .problems import (
    ObtainError,
    Problem,
    explain_files,
    explain_problem,
    explain_skew,
    merge_problems,
    sanitized,
)
from .renewal_info import replaced_certificate_id
from .renewal_state import RenewalState
from .solvers import ChallengeSolver
from .storage import CertificateStorage, PendingOrder, storage_of

log = logging.getLogger("labgate")

MAX_FAILURES_OF_ORDER = 5
"""After so many failures in a row an order is given up that the CA only has a 5xx for."""

RATE_LIMIT_PAUSE = timedelta(hours=1)
"""After a rate limit whose answer does not say how long it lasts."""


def issue(
    request: CertificateRequest, report: ReportProgress, stop: threading.Event
) -> CertificatePair:
    """Obtain the certificate and put its files into service.

    The caller holds the storage's lock. A failure is saved in the renewal state.

    Args:
        request: What to obtain.
        report: Called with each step, for people.
        stop: Set, no further request is sent to the CA.

    Raises:
        ObtainError: No certificate was obtained: why, and the remedy.
        Stopped: ``stop`` was set.
    """
    storage = storage_of(request)
    state = storage.load_state()
    try:
        pair, challenge = _obtain(request, storage, state, report, stop)
        storage.save_state(state.after_success(challenge, request.acme.directory))
    except OSError as error:
        failure = ObtainError(explain_files(request.state_folder, error))
        _save_failure(storage, state, failure)
        raise failure from None
    except StartError as error:
        failure = error if isinstance(error, ObtainError) else ObtainError(str(error))
        # The order stays pending: it may have been issued before the network failed, and what the
        # CA refuses was discarded already.
        _save_failure(storage, state, failure)
        raise failure from None
    except Stopped:
        raise
    except Exception as error:
        # An error that ended the renewer would let the certificate expire silently.
        log.exception("An attempt to obtain a certificate failed.")
        failure = ObtainError(
            f"Something that labgate does not expect went wrong ({sanitized(repr(error))}). Report "
            "it; the next attempt is made as after any other failure."
        )
        _save_failure(storage, state, failure)
        raise failure from None
    return pair


def _obtain(
    request: CertificateRequest,
    storage: CertificateStorage,
    state: RenewalState,
    report: ReportProgress,
    stop: threading.Event,
) -> tuple[CertificatePair, str]:
    settings = request.acme
    # First what can fail on this machine: issuance counts against the CA's rate limits.
    key, order = storage.stage(PendingOrder(settings.directory, request.names, settings.profile))
    account = Account(request.state_folder, settings)
    http = AcmeHttpClient(account.key, settings.directory, settings.ca_file, stop)
    try:
        acme = connect_to_ca(http, settings.directory)
        # First the type that succeeded the last time.
        types = sorted(request.challenge_types, key=lambda kind: kind != state.challenge)
        solver = ChallengeSolver(request.state_folder)
        orders = OrderClient(
            acme, http, solver, challenge_types=types, stop=stop.wait, report=report
        )
        signing_request = x509.load_pem_x509_csr(_signing_request(key, request.names))

        def place_order(url: str) -> IssuedChain:
            return orders.issue(
                request.names,
                signing_request,
                replaces=replaced_certificate_id(acme, storage.installed_pair()),
                profile=settings.profile,
                url=url,
                save_url=lambda placed: storage.save_order(replace(order, url=placed)),
            )

        try:
            issued = _with_account(acme, account, report, order.url, place_order)
        except (
            messages.Error,
            ChallengesFailed,
            errors.Error,
            JoseError,
            KeyError,
            ValueError,
        ) as error:
            # A CA that is down says nothing about the order, which may have been issued.
            if http.status < 500 or state.failures >= MAX_FAILURES_OF_ORDER:
                storage.discard_order()
            raise _failure(_problems(error, http), request, http, acme) from None
        try:
            pair = storage.install(issued.chain)
        except StartError:
            # Resuming the order would download the same chain again.
            storage.discard_order()
            raise
    finally:
        http.close()
    report(f"written to {storage.folder}, valid until {pair.not_after:%Y-%m-%d %H:%M} UTC")
    if warning := explain_skew(http.clock_skew):
        log.warning("%s", warning)
    return pair, issued.challenge


def _with_account(
    acme: client.ClientV2,
    account: Account,
    report: ReportProgress,
    url: str,
    place_order: Callable[[str], IssuedChain],
) -> IssuedChain:
    """Place the order with the registered account; register again if the CA has forgotten it."""
    if not account.uri:
        report(f"registering an account at {account.directory}")
    account.sign_in(acme)
    try:
        return place_order(url)
    except messages.Error as error:
        if error.code != "accountDoesNotExist":
            raise
    report("the CA has forgotten the account; registering it again")
    account.register(acme)
    return place_order("")


def _problems(error: Exception, http: AcmeHttpClient) -> Sequence[Problem]:
    """What the CA's answer means."""
    if isinstance(error, ChallengesFailed):
        return error.problems
    if isinstance(error, messages.Error):
        problem = problem_of(error)
        # about:blank (RFC 7807 section 4.2): only the status has a meaning.
        return [status_problem(http.status) if problem.code == "blank" else problem]
    if http.status >= 400:
        return [status_problem(http.status)]
    return [Problem("malformed", f"its answer makes no sense: {error!r}")]


def _failure(
    problems: Sequence[Problem],
    request: CertificateRequest,
    http: AcmeHttpClient,
    acme: client.ClientV2,
) -> ObtainError:
    """An error with a sentence for each problem, and when to ask the CA again."""
    sentences = [
        explain_problem(
            problem,
            names=request.names,
            directory=request.acme.directory,
            account=account_folder(request.state_folder, request.acme.directory),
            caa=_caa_identity(acme),
        )
        for problem in merge_problems(problems)
    ]
    if warning := explain_skew(http.clock_skew):
        sentences.append(warning)
    not_before = http.retry_at
    if not_before is None and any(problem.code == "rateLimited" for problem in problems):
        not_before = datetime.now(UTC) + RATE_LIMIT_PAUSE
    return ObtainError(" ".join(dict.fromkeys(sentences)), not_before)


def _save_failure(storage: CertificateStorage, state: RenewalState, failure: ObtainError) -> None:
    now = datetime.now(UTC)
    try:
        storage.save_state(state.after_failure(str(failure), failure.not_before, now))
    except OSError as error:
        log.warning("%s", explain_files(storage.folder.parent, error))


def _signing_request(key: bytes, names: Sequence[str]) -> bytes:
    """A certificate signing request (PEM) for the names and addresses."""
    domains, addresses = [], []
    for name in names:
        try:
            addresses.append(ip_address(name))
        except ValueError:
            domains.append(name)
    return crypto_util.make_csr(key, domains, ipaddrs=addresses)


def _caa_identity(acme: client.ClientV2) -> str:
    """What the CA calls itself in CAA records; empty if it does not say."""
    identities = getattr(acme.directory.meta, "caa_identities", None)
    return str(identities[0]) if identities else ""
