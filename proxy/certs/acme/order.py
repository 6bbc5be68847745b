"""Orders at the CA, from names to a certificate chain (RFC 8555 section 7.4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import requests
from acme import client, errors, messages
from cryptography import x509
from josepy.errors import DeserializationError
from josepy.interfaces import JSONDeSerializable

from .client import AcmeHttpClient, Stopped, problem_of
from .extensions import NewOrder, TlsAlpn01, identifier, is_supported
from .problems import ObtainError, Problem, other_challenge_may_help
from .solvers import PROPAGATION_SECONDS, ChallengeSolver

VALIDATION_TIMEOUT_SECONDS = 180.0
ISSUANCE_TIMEOUT_SECONDS = 300.0
FIRST_POLL_SECONDS = 0.25
MAX_POLL_SECONDS = 15.0
MAX_RETRY_AFTER_SECONDS = 60.0
"""Between two polls of an order, whatever Retry-After says; the next attempt resumes an order
that takes longer."""

ReportProgress = Callable[[str], None]
"""Called with one step of an issuance, in words for people."""


class ChallengesFailed(Exception):  # noqa: N818  reads as what happened
    """Challenges failed, and no other type of challenge is left to try."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)


class OrderTimeout(ObtainError):  # noqa: N818  reads as what happened
    """The CA needs more time than an attempt has; the next attempt resumes the order."""


@dataclass(frozen=True, slots=True)
class IssuedChain:
    """What the CA issued.

    Attributes:
        chain: PEM, leaf first.
        challenge: The type of challenge that the CA accepted last; empty if it needed none.
    """

    chain: bytes
    challenge: str


class OrderClient:
    """Places orders at one CA and follows each to its end.

    Args:
        acme: Signed in to the account.
        http: Sends its requests.
        solver: Publishes the proofs.
        challenge_types: To try, in this order.
        stop: Waits for that many seconds; True to give up.
        report: Called with each step.
    """

    def __init__(
        self,
        acme: client.ClientV2,
        http: AcmeHttpClient,
        solver: ChallengeSolver,
        *,
        challenge_types: Sequence[str],
        stop: Callable[[float], bool],
        report: ReportProgress,
    ) -> None:
        self._acme, self._http, self._solver = acme, http, solver
        self._challenge_types, self._stop, self._report = challenge_types, stop, report
        self._failures: dict[str, list[Problem]] = {}
        self._validated_by = ""

    def issue(
        self,
        names: Sequence[str],
        csr: x509.CertificateSigningRequest,
        *,
        replaces: str,
        profile: str,
        url: str,
        save_url: Callable[[str], None],
    ) -> IssuedChain:
        """Prove control over the names and have a certificate issued.

        Args:
            names: DNS names or addresses.
            csr: The signing request for the same names.
            replaces: The ID of the certificate to be replaced (RFC 9773); empty for none.
            profile: The CA's certificate profile; empty for its default.
            url: Of a pending order to resume; empty for none.
            save_url: Called with the URL of each new order, before anything is issued.

        Raises:
            messages.Error: The CA refuses the order.
            ChallengesFailed: The CA accepts no proof.
            OrderTimeout: The CA needs too long.
        """
        order = self._resume(url)
        if order is None:
            self._report(f"ordering a certificate for {', '.join(names)}")
            url, order = self._place(names, replaces, profile)
            save_url(url)
        while failed := self._authorize(order):
            for problem in failed:
                self._failures.setdefault(problem.name, []).append(problem)
            if not all(
                other_challenge_may_help(one) and self._untried_types(one.name) for one in failed
            ):
                raise ChallengesFailed(
                    [one for last in failed for one in self._failures[last.name]]
                )
            self._report("trying the other challenge")
            url, order = self._place(names, replaces, profile)
            save_url(url)
        return IssuedChain(self._finalize(url, order, csr), self._validated_by)

    def _place(
        self, names: Sequence[str], replaces: str, profile: str
    ) -> tuple[str, messages.Order]:
        new_order = NewOrder(
            identifiers=[identifier(name) for name in names],
            profile=profile or None,
            replaces=replaces or None,
        )
        try:
            response = self._post(self._acme.directory["newOrder"], new_order)
        except (errors.ConflictError, messages.Error) as error:
            code = error.code if isinstance(error, messages.Error) else "alreadyReplaced"
            if not replaces or code not in ("alreadyReplaced", "malformed", "unauthorized", None):
                raise
            # `replaces` is optional. The CA rejects it for a certificate of another account or
            # one that was replaced before; the order is good without it.
            return self._place(names, "", profile)
        return response.headers["Location"], messages.Order.from_json(response.json())

    def _resume(self, url: str) -> messages.Order | None:
        """The pending order; None if there is none, or the CA has ended it."""
        if not url:
            return None
        try:
            order: messages.Order = messages.Order.from_json(self._post(url, None).json())
        except (messages.Error, errors.ClientError, DeserializationError):
            return None
        if order.status == messages.STATUS_INVALID:
            return None
        self._report("going on with the order of the last attempt")
        return order

    def _authorize(self, order: messages.Order) -> list[Problem]:
        """Answer one challenge for each name not yet validated; returns what failed."""
        pending = []
        try:
            for url in order.authorizations or ():
                authorization = messages.Authorization.from_json(self._post(url, None).json())
                if authorization.status == messages.STATUS_PENDING:
                    pending.append((url, *self._present(authorization)))
            if any(challenge.chall.typ == TlsAlpn01.typ for _, _, challenge in pending):
                self._pause(PROPAGATION_SECONDS)
            for _, name, challenge in pending:
                self._report(f"{name}: {challenge.chall.typ} published, the CA is asked to look")
                self._acme.answer_challenge(challenge, challenge.response(self._http.key))
            failed = []
            for url, name, challenge in pending:
                problem = self._await_validation(url, name, challenge.chall.typ)
                if problem is None:
                    self._report(f"{name}: validated")
                    self._validated_by = challenge.chall.typ
                else:
                    self._report(f"{name}: {problem.challenge} failed, {problem.detail}")
                    failed.append(problem)
            return failed
        finally:
            self._solver.clean_up()

    def _present(self, authorization: messages.Authorization) -> tuple[str, messages.ChallengeBody]:
        name = authorization.identifier.value
        offered = {one.chall.typ: one for one in authorization.challenges if is_supported(one)}
        for challenge_type in self._untried_types(name):
            if challenge_type in offered:
                break
        else:
            allowed = " and ".join(self._challenge_types) or "none"
            raise ObtainError(
                f"The CA offers no challenge for {name} that this configuration allows ({allowed}"
                "). HTTP-01 needs listen.http_port, TLS-ALPN-01 needs listen.tls; see "
                "acme.challenges."
            )
        challenge = offered[challenge_type]
        proof = challenge.chall.key_authorization(self._http.key)
        if challenge_type == TlsAlpn01.typ:
            self._solver.present_tls_alpn(name, proof)
        else:
            self._solver.present_http(challenge.chall.encode("token"), proof)
        return name, challenge

    def _untried_types(self, name: str) -> list[str]:
        tried = {problem.challenge for problem in self._failures.get(name, ())}
        return [one for one in self._challenge_types if one not in tried]

    def _await_validation(self, url: str, name: str, challenge_type: str) -> Problem | None:
        """Poll an authorization until it is valid (None) or has failed."""
        polls = self._polls(VALIDATION_TIMEOUT_SECONDS, f"to validate {name}")
        while True:
            authorization = messages.Authorization.from_json(self._post(url, None).json())
            if authorization.status == messages.STATUS_VALID:
                return None
            if authorization.status not in (messages.STATUS_PENDING, messages.STATUS_PROCESSING):
                break
            next(polls)
        for challenge in authorization.challenges:
            if challenge.error is not None:
                return problem_of(challenge.error, name, challenge_type)
        detail = f"the authorization is {authorization.status.name}"
        return Problem("", detail, name, challenge_type)

    def _finalize(
        self, url: str, order: messages.Order, csr: x509.CertificateSigningRequest
    ) -> bytes:
        """Send the signing request and poll until the chain can be downloaded."""
        polls = self._polls(ISSUANCE_TIMEOUT_SECONDS, "to issue the certificate")
        while order.status != messages.STATUS_VALID or not order.certificate:
            if order.status == messages.STATUS_INVALID:
                if order.error is not None:
                    raise order.error
                raise messages.Error.with_code("serverInternal")
            if order.status == messages.STATUS_READY:
                response = self._post(order.finalize, messages.CertificateRequest(csr=csr))
                order = messages.Order.from_json(response.json())
                self._report("the CA is issuing")
                continue
            next(polls)
            order = messages.Order.from_json(self._post(url, None).json())
        chain = self._post(order.certificate, None).content
        self._report("issued")
        return bytes(chain)

    def _polls(self, seconds: float, what: str) -> Iterator[None]:
        """Wait before each poll, longer each time, at least as long as Retry-After says.

        Raises:
            OrderTimeout: After ``seconds``.
            Stopped: While waiting.
        """
        deadline = time.monotonic() + seconds
        pause = FIRST_POLL_SECONDS
        while time.monotonic() < deadline:
            self._pause(max(pause, min(self._http.retry_seconds, MAX_RETRY_AFTER_SECONDS)))
            pause = min(pause * 1.5, MAX_POLL_SECONDS)
            yield
        raise OrderTimeout(
            f"The CA needs more than {seconds / 60:.0f} minutes {what}. The order stays open, "
            "and the next attempt goes on with it; nothing has to be done here."
        )

    def _pause(self, seconds: float) -> None:
        if self._stop(seconds):
            raise Stopped

    def _post(self, url: str, content: JSONDeSerializable | None) -> requests.Response:
        nonce = self._acme.directory["newNonce"]
        return self._http.post(url, content, new_nonce_url=nonce)
