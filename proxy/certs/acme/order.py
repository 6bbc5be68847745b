"""One order at the CA, from names to a certificate chain (RFC 8555 section 7.4)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from josepy.errors import DeserializationError
from josepy.interfaces import JSONDeSerializable
from josepy.json_util import field
from josepy.jwk import JWK

from proxy.certs.acme.solvers import NOTICED_SECONDS, Proofs

from .client import Network, Stopped, problem_of
from .problems import ObtainError, Problem, other_way

VALIDATION_SECONDS = 180.0
ISSUE_SECONDS = 300.0
FIRST_POLL_SECONDS = 0.25
LONGEST_POLL_SECONDS = 15.0
LONGEST_RETRY_AFTER_SECONDS = 60.0
"""Between two questions within an order, whatever Retry-After says: one that takes longer is
taken up again by the next attempt."""

Tell = Callable[[str], None]


@challenges.ChallengeResponse.register
class AlpnResponse(challenges.KeyAuthorizationChallengeResponse):
    """TLS-ALPN-01 (RFC 8737), which certbot's library no longer knows."""

    typ = "tls-alpn-01"


@challenges.Challenge.register
class Alpn(challenges.KeyAuthorizationChallenge):
    """Our answer is in a handshake, so there is nothing more to say here."""

    response_cls = AlpnResponse
    typ = AlpnResponse.typ

    def validation(self, account_key: JWK, **_: Any) -> str:
        return self.key_authorization(account_key)


class NewOrder(messages.NewOrder):
    """An order that says which certificate it replaces (RFC 9773 section 5)."""

    replaces: str | None = field("replaces", omitempty=True)


class Refused(Exception):  # noqa: N818  reads as what happened
    """Challenges failed, and there is no other kind left to try."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)


class Slow(ObtainError):  # noqa: N818  reads as what happened
    """The CA needs longer; the order goes on without us and is taken up again."""


@dataclass(frozen=True, slots=True)
class Issued:
    """The chain in PEM form, and the kind of challenge that brought it ("" for none)."""

    chain: bytes
    challenge: str


class Ordering:
    """Orders at one CA.

    Args:
        acme: Signed in.
        network: Its network.
        proofs: Where proofs are published.
        kinds: Challenges to try, the best first.
        stop: Waits for seconds; True when nobody wants the certificate any more.
        tell: Progress, for people.
    """

    def __init__(
        self,
        acme: client.ClientV2,
        network: Network,
        proofs: Proofs,
        *,
        kinds: Sequence[str],
        stop: Callable[[float], bool],
        tell: Tell,
    ) -> None:
        self._acme, self._network, self._proofs = acme, network, proofs
        self._kinds, self._stop, self._tell = kinds, stop, tell
        self._tried: dict[str, list[Problem]] = {}
        self._proved = ""

    def obtain(
        self,
        names: Sequence[str],
        csr: x509.CertificateSigningRequest,
        *,
        replaces: str,
        profile: str,
        url: str,
        keep: Callable[[str], None],
    ) -> Issued:
        """Prove that the names are ours, and have the certificate issued.

        Args:
            names: DNS names or addresses.
            csr: For the same names.
            replaces: The certificate it replaces, as RFC 9773 names it.
            profile: Which kind of certificate; empty for the CA's default.
            url: An order under way that is taken up again; empty for none.
            keep: Told the order's URL.

        Raises:
            messages.Error: The CA refuses the order.
            Refused: The CA does not accept any proof.
            Slow: It needs too long.
        """
        order = self._taken_up(url)
        if order is None:
            self._tell(f"ordering a certificate for {', '.join(names)}")
            url, order = self._new(names, replaces, profile)
            keep(url)
        while failed := self._prove(order):
            for problem in failed:
                self._tried.setdefault(problem.name, []).append(problem)
            if not all(other_way(one) and self._kinds_left(one.name) for one in failed):
                raise Refused([one for last in failed for one in self._tried[last.name]])
            self._tell("trying the other challenge")
            url, order = self._new(names, replaces, profile)
            keep(url)
        return Issued(self._finish(url, order, csr), self._proved)

    def _new(self, names: Sequence[str], replaces: str, profile: str) -> tuple[str, messages.Order]:
        wanted = NewOrder(
            identifiers=[_identifier(name) for name in names],
            profile=profile or None,
            replaces=replaces or None,
        )
        try:
            answer = self._post(self._acme.directory["newOrder"], wanted)
        except (errors.ConflictError, messages.Error) as error:
            code = error.code if isinstance(error, messages.Error) else "alreadyReplaced"
            if not replaces or code not in ("alreadyReplaced", "malformed", "unauthorized", None):
                raise
            # A certificate of an account since forgotten, or one that was replaced already:
            # saying so is a courtesy, and no reason to go without a certificate.
            return self._new(names, "", profile)
        return answer.headers["Location"], messages.Order.from_json(answer.json())

    def _taken_up(self, url: str) -> messages.Order | None:
        if not url:
            return None
        try:
            order: messages.Order = messages.Order.from_json(self._post(url, None).json())
        except (messages.Error, errors.ClientError, DeserializationError):
            return None
        if order.status == messages.STATUS_INVALID:
            return None
        self._tell("going on with the order of the last attempt")
        return order

    def _prove(self, order: messages.Order) -> list[Problem]:
        """Answer one challenge of every name that still needs it; what failed."""
        pending = []
        try:
            for url in order.authorizations or ():
                authorization = messages.Authorization.from_json(self._post(url, None).json())
                if authorization.status == messages.STATUS_PENDING:
                    pending.append((url, *self._publish(authorization)))
            if any(challenge.chall.typ == Alpn.typ for _, _, challenge in pending):
                self._pause(NOTICED_SECONDS)
            for _, name, challenge in pending:
                self._tell(f"{name}: {challenge.chall.typ} published, the CA is asked to look")
                self._acme.answer_challenge(challenge, challenge.response(self._network.key))
            failed = []
            for url, name, challenge in pending:
                problem = self._judged(url, name, challenge.chall.typ)
                if problem is None:
                    self._tell(f"{name}: validated")
                    self._proved = challenge.chall.typ
                else:
                    self._tell(f"{name}: {problem.challenge} failed, {problem.detail}")
                    failed.append(problem)
            return failed
        finally:
            self._proofs.withdraw()

    def _publish(self, authorization: messages.Authorization) -> tuple[str, messages.ChallengeBody]:
        name = authorization.identifier.value
        offered = {one.chall.typ: one for one in authorization.challenges if _known(one)}
        for kind in self._kinds_left(name):
            if kind in offered:
                break
        else:
            kinds = " and ".join(self._kinds) or "none"
            raise ObtainError(
                f"The CA offers no challenge for {name} that this configuration allows ({kinds}). "
                "HTTP-01 needs listen.http_port, TLS-ALPN-01 needs listen.tls; see acme.challenges."
            )
        challenge = offered[kind]
        proof = challenge.chall.key_authorization(self._network.key)
        if kind == Alpn.typ:
            self._proofs.publish_alpn(name, proof)
        else:
            self._proofs.publish_http(challenge.chall.encode("token"), proof)
        return name, challenge

    def _kinds_left(self, name: str) -> list[str]:
        tried = {problem.challenge for problem in self._tried.get(name, ())}
        return [kind for kind in self._kinds if kind not in tried]

    def _judged(self, url: str, name: str, kind: str) -> Problem | None:
        """Wait for the CA's judgement of an authorization; None when it is valid."""
        pauses = self._pauses(VALIDATION_SECONDS, f"to validate {name}")
        while True:
            authorization = messages.Authorization.from_json(self._post(url, None).json())
            if authorization.status == messages.STATUS_VALID:
                return None
            if authorization.status not in (messages.STATUS_PENDING, messages.STATUS_PROCESSING):
                break
            next(pauses)
        for challenge in authorization.challenges:
            if challenge.error is not None:
                return problem_of(challenge.error, name, kind)
        return Problem("", f"the authorization is {authorization.status.name}", name, kind)

    def _finish(
        self, url: str, order: messages.Order, csr: x509.CertificateSigningRequest
    ) -> bytes:
        pauses = self._pauses(ISSUE_SECONDS, "to issue the certificate")
        while order.status != messages.STATUS_VALID or not order.certificate:
            if order.status == messages.STATUS_INVALID:
                if order.error is not None:
                    raise order.error
                raise messages.Error.with_code("serverInternal")
            if order.status == messages.STATUS_READY:
                wanted = messages.CertificateRequest(csr=csr)
                answer = self._post(order.finalize, wanted)
                order = messages.Order.from_json(answer.json())
                self._tell("the CA is issuing")
                continue
            next(pauses)
            order = messages.Order.from_json(self._post(url, None).json())
        chain = self._post(order.certificate, None).content
        self._tell("issued")
        return bytes(chain)

    def _pauses(self, seconds: float, what: str) -> Any:
        """A generator that waits, longer each time, as Retry-After says; in the end it raises."""
        deadline = time.monotonic() + seconds
        pause = FIRST_POLL_SECONDS
        while time.monotonic() < deadline:
            self._pause(max(pause, self._asked_pause()))
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)
            yield
        raise Slow(
            f"The CA needs more than {seconds / 60:.0f} minutes {what}. The order stays open, "
            "and the next attempt goes on with it; nothing has to be done here."
        )

    def _asked_pause(self) -> float:
        asked = self._network.retry_seconds
        return min(asked, LONGEST_RETRY_AFTER_SECONDS)

    def _pause(self, seconds: float) -> None:
        if self._stop(seconds):
            raise Stopped

    def _post(self, url: str, content: JSONDeSerializable | None) -> requests.Response:
        nonce = self._acme.directory["newNonce"]
        return self._network.post(url, content, new_nonce_url=nonce)


def _identifier(name: str) -> messages.Identifier:
    try:
        ip_address(name)
    except ValueError:
        return messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name)
    return messages.Identifier(typ=messages.IDENTIFIER_IP, value=name)


def _known(challenge: messages.ChallengeBody) -> bool:
    return isinstance(challenge.chall, challenges.KeyAuthorizationChallenge)
