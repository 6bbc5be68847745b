"""One attempt to obtain a certificate: under a lock, from a key to files in service.

Everything here waits for the network and runs in a thread of its own.
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

from proxy.certs.acme.solvers import Proofs
from proxy.certs.files import CertificatePair
from proxy.errors import StartError

from .account import Account, account_folder
from .certificate_request import Wanted
from .client import Network, Stopped, connect, problem_of, status_problem
from .order import Issued, Ordering, Refused, Slow
from .problems import (
    ObtainError,
    Problem,
    explain,
    explain_files,
    explain_skew,
    merged,
    quoted,
)
from .renewal_info import ask, remembered, replaces
from .renewal_state import Memory
from .schedule import Plan, plan
from .storage import Order, Shelf

log = logging.getLogger("labgate")

LIMITED_PAUSE = timedelta(hours=1)
"""After a rate limit whose answer does not say how long it lasts."""

Tell = Callable[[str], None]


def shelf_of(wanted: Wanted) -> Shelf:
    """Its files."""
    return Shelf(wanted.state_folder, wanted.names[0])


def due(wanted: Wanted, pair: CertificatePair | None, memory: Memory, now: datetime) -> Plan:
    """When the next attempt is, with what is known now.

    A certificate that is not for all names, or of another CA (after trials with Let's
    Encrypt's staging), counts for nothing.
    """
    elsewhere = memory.directory not in ("", wanted.acme.directory)
    if pair is None or elsewhere or not all(pair.covers(name) for name in wanted.names):
        return plan(None, None, None, memory.failed, now=now, random=memory.random)
    window = memory.window(pair.serial)
    return plan(
        pair.not_before, pair.not_after, window, memory.failed, now=now, random=memory.random
    )


def attempt(wanted: Wanted, tell: Tell, stop: threading.Event) -> CertificatePair:
    """Obtain it; the caller holds the shelf's lock. A failure is remembered.

    Raises:
        ObtainError: It was not obtained: why, and the mend.
        Stopped: ``stop`` was set.
    """
    shelf = shelf_of(wanted)
    memory = shelf.recall()
    try:
        pair, challenge = _obtain(wanted, shelf, memory, tell, stop)
        shelf.remember(memory.after_success(challenge, wanted.acme.directory))
    except OSError as error:
        failure = ObtainError(explain_files(wanted.state_folder, error))
        _keep_failure(shelf, memory, failure)
        raise failure from None
    except StartError as error:
        failure = error if isinstance(error, ObtainError) else ObtainError(str(error))
        if memory.failures and not isinstance(failure, Slow):
            # An order that fails again is not what the next attempt should go on with.
            shelf.abandon()
        _keep_failure(shelf, memory, failure)
        raise failure from None
    except Stopped:
        raise
    except Exception as error:
        # Whatever it is: if it ended the renewer, the certificate would expire unheard.
        log.exception("An attempt to obtain a certificate failed.")
        failure = ObtainError(
            f"Something that labgate does not expect went wrong ({quoted(repr(error))}). Report "
            "it; the next attempt is made as after any other failure."
        )
        _keep_failure(shelf, memory, failure)
        raise failure from None
    return pair


def look_for_suggestion(wanted: Wanted, pair: CertificatePair, stop: threading.Event) -> None:
    """Ask the CA when it would like a renewal, and remember it; the caller holds the lock.

    Not being told is no failure: the schedule then goes by the lifetime.
    """
    shelf, now = shelf_of(wanted), datetime.now(UTC)
    memory, suggestion = shelf.recall(), None
    try:
        account = Account(wanted.state_folder, wanted.acme)
        network = Network(account.key, wanted.acme.directory, wanted.acme.ca_file, stop)
        try:
            suggestion = ask(connect(network, wanted.acme.directory), network, pair, now)
        finally:
            network.close()
    except Stopped:
        raise
    except Exception as error:
        log.info("The CA does not say when it would like a renewal: %s", quoted(str(error)))
    try:
        shelf.remember(remembered(memory, pair.serial, suggestion, now))
    except OSError as error:
        log.warning("%s", explain_files(wanted.state_folder, error))


def _obtain(
    wanted: Wanted, shelf: Shelf, memory: Memory, tell: Tell, stop: threading.Event
) -> tuple[CertificatePair, str]:
    settings = wanted.acme
    # What can fail here fails before the CA counts an order.
    key, order = shelf.stage(Order(settings.directory, wanted.names, settings.profile))
    account = Account(wanted.state_folder, settings)
    network = Network(account.key, settings.directory, settings.ca_file, stop)
    try:
        acme = connect(network, settings.directory)
        kinds = sorted(wanted.kinds, key=lambda kind: kind != memory.challenge)
        proofs = Proofs(wanted.state_folder)
        ordering = Ordering(acme, network, proofs, kinds=kinds, stop=stop.wait, tell=tell)
        request = x509.load_pem_x509_csr(_request(key, wanted.names))

        def issue(url: str) -> Issued:
            return ordering.obtain(
                wanted.names,
                request,
                replaces=replaces(acme, shelf.pair()),
                profile=settings.profile,
                url=url,
                keep=lambda made: shelf.ordered(replace(order, url=made)),
            )

        try:
            issued = _signed_in(acme, account, tell, order.url, issue)
        except (messages.Error, Refused, errors.Error, JoseError, KeyError, ValueError) as error:
            shelf.abandon()
            raise _failure(_problems(error, network), wanted, network, acme) from None
        try:
            pair = shelf.put(issued.chain)
        except StartError:
            # The same order would bring the same chain.
            shelf.abandon()
            raise
    finally:
        network.close()
    tell(f"written to {shelf.folder}, valid until {pair.not_after:%Y-%m-%d %H:%M} UTC")
    if clock := explain_skew(network.skew):
        log.warning("%s", clock)
    return pair, issued.challenge


def _signed_in(
    acme: client.ClientV2, account: Account, tell: Tell, url: str, issue: Callable[[str], Issued]
) -> Issued:
    """Have it issued, with the account registered before, or again where it was forgotten."""
    if not account.uri:
        tell(f"registering an account at {account.directory}")
    account.sign_in(acme)
    try:
        return issue(url)
    except messages.Error as error:
        if error.code != "accountDoesNotExist":
            raise
    tell("the CA has forgotten the account; registering it again")
    account.register(acme)
    return issue("")


def _problems(error: Exception, network: Network) -> Sequence[Problem]:
    """What the CA said, or what its answer must mean."""
    if isinstance(error, Refused):
        return error.problems
    if isinstance(error, messages.Error):
        problem = problem_of(error)
        # RFC 7807's about:blank: the status says it all.
        return [status_problem(network.status) if problem.code == "blank" else problem]
    if network.status >= 400:
        return [status_problem(network.status)]
    return [Problem("malformed", f"its answer makes no sense: {error!r}")]


def _failure(
    problems: Sequence[Problem], wanted: Wanted, network: Network, acme: client.ClientV2
) -> ObtainError:
    """The problems in sentences, with when to ask again."""
    sentences = [
        explain(
            problem,
            names=wanted.names,
            directory=wanted.acme.directory,
            account=account_folder(wanted.state_folder, wanted.acme.directory),
            caa=_caa(acme),
        )
        for problem in merged(problems)
    ]
    if clock := explain_skew(network.skew):
        sentences.append(clock)
    again = network.retry_at
    if again is None and any(problem.code == "rateLimited" for problem in problems):
        again = datetime.now(UTC) + LIMITED_PAUSE
    return ObtainError(" ".join(dict.fromkeys(sentences)), again)


def _keep_failure(shelf: Shelf, memory: Memory, failure: ObtainError) -> None:
    now = datetime.now(UTC)
    try:
        shelf.remember(memory.after_failure(str(failure), failure.not_before, now))
    except OSError as error:
        log.warning("%s", explain_files(shelf.folder.parent, error))


def _request(key: bytes, names: Sequence[str]) -> bytes:
    domains, addresses = [], []
    for name in names:
        try:
            addresses.append(ip_address(name))
        except ValueError:
            domains.append(name)
    return crypto_util.make_csr(key, domains, ipaddrs=addresses)


def _caa(acme: client.ClientV2) -> str:
    identities = getattr(acme.directory.meta, "caa_identities", None)
    return str(identities[0]) if identities else ""
