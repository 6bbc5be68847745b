"""The question every allowed request is asked: may it go on to Jupyter."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

from proxy.access import basic
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.refusals import BUSY, CHALLENGE, challenge, too_many, wrong
from proxy.access.revoked import Keep, Revocation
from proxy.access.session import ENDED, Sessions
from proxy.access.tokens import Tokens, Trial
from proxy.access.verify import Verifier
from proxy.rules.model import Field, Refuse, RequestHead, ResponseHead, Site
from proxy.rules.networks import counted_as
from proxy.rules.origin import is_websocket
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate")

MOST_AT_ONCE = 32
"""Logins of one address that may wait for their turn: a class behind one NAT."""

MOST_WAITING = 64
"""Requests of one address that wait for those; more could use up ``limits.requests``."""


@dataclass(slots=True, eq=False)
class Attempt:
    """Jupyter is asked for something that it may find wrong.

    Attributes:
        address: Whom a failure counts for.
        login: The path of a login; empty for none.
        trial: A token that is tried.
    """

    address: str
    login: bytes = b""
    trial: Trial | None = None


@dataclass(frozen=True, slots=True)
class Passage:
    """The request may go on.

    Attributes:
        fields: Belong into the head of the answer.
        attempt: To be handed to ``Gate.heard`` with Jupyter's answer, and to ``Gate.over``.
        head: The request that may go on, where that is not the one that came.
    """

    fields: tuple[Field, ...] = ()
    attempt: Attempt | None = None
    head: RequestHead | None = None


OPEN = Passage()


class Gate:
    """Asks for a password where there is an htpasswd file, and slows down who guesses.

    Args:
        lockout: Counts failed logins, labgate's and Jupyter's together.
        htpasswd: The users; None asks nobody.
        sessions: The cookies; needed with ``htpasswd``.
        key: For digests of passwords and tokens; all workers have the same.
        revoke: Ends a session, here and everywhere; needed with ``sessions``.
    """

    def __init__(
        self,
        lockout: Lockout,
        htpasswd: Htpasswd | None = None,
        sessions: Sessions | None = None,
        key: bytes | None = None,
        revoke: Keep | None = None,
    ) -> None:
        self._lockout = lockout
        self._htpasswd = htpasswd
        self._sessions = sessions
        self._revoke = revoke
        self.verifier = Verifier(key)
        self._tokens = Tokens(lockout, self._tell_shut, key)
        self._attempts: dict[tuple[str, bytes], asyncio.Task[Refuse | None]] = {}
        self._waiting: Counter[str] = Counter()
        self._numbers = itertools.count()

    def at_once(self, head: RequestHead) -> Passage | Refuse | None:
        """The answer where nothing has to be waited for; None: ``await ask(head)``."""
        passage: Passage | None = OPEN
        if self._htpasswd is not None:
            passage = self._by_session(head, self._htpasswd)
            if passage is None and not basic.offered(head.values(b"authorization")):
                return challenge(head, "Log in to come in here.")
        if passage is None or is_login(head):
            return None
        return self._with_token(head, passage)

    async def ask(self, head: RequestHead) -> Passage | Refuse:
        """Check the password, then whether a login to Jupyter may be tried."""
        passage: Passage | Refuse = OPEN
        if self._htpasswd is not None:
            passage = self._by_session(head, self._htpasswd) or await self._by_password(
                head, self._htpasswd
            )
        if isinstance(passage, Passage) and is_login(head):
            passage = await self._to_jupyters_login(head, passage)
        return passage if isinstance(passage, Refuse) else self._with_token(head, passage)

    def heard(self, attempt: Attempt, site: Site, answer: ResponseHead) -> None:
        """Jupyter's answer has begun."""
        trial, attempt.trial = attempt.trial, None
        if trial is not None:
            self._tokens.answered(trial, answer, site)

    def over(self, attempt: Attempt, status: int) -> None:
        """The client was answered; 0 when it did not wait for it.

        Jupyter answers 401 to a wrong password and 302 to a right one. A 403 is about
        XSRF and not about a password, and while Jupyter is down nothing was tried.
        """
        trial, attempt.trial = attempt.trial, None
        if trial is not None:
            self._tokens.unanswered(trial, status)
        if not attempt.login:
            return
        self._lockout.leave(attempt.address)
        if status in (401, 0):
            self._failed(attempt.address, attempt.login, next(self._numbers))
        elif status in (302, 303):
            self._lockout.succeeded(attempt.address, attempt.login)

    async def log_out(self, head: RequestHead) -> tuple[Field, ...]:
        """End the sessions that the request brings; the fields of an answer that says so.

        The answer is a 401: that has a browser forget the password, too, with which it would
        log in again by itself.
        """
        if self._htpasswd is not None and self._sessions is not None and self._revoke is not None:
            cookies, now = head.values(b"cookie"), time.time()
            for session in list(self._sessions.valid(cookies, self._htpasswd.users, now)):
                revocation = Revocation(session.user, session.name, int(now))
                # Who hangs up has logged out all the same.
                await asyncio.shield(spawn(self._revoke(revocation), "logout"))
                log.info("basic-auth: %s logged out from %s", session.user, head.arrival.peer)
        return (CHALLENGE, ENDED)

    # labgate's own

    def _by_session(self, head: RequestHead, htpasswd: Htpasswd) -> Passage | None:
        """By its cookie.

        A shut-out does not touch it: other people's failures behind the same NAT do not end
        anybody's work.
        """
        htpasswd.look()
        cookies = head.values(b"cookie")
        if not cookies or self._sessions is None:
            return None
        now = time.time()
        session = self._sessions.find(cookies, htpasswd.users, now)
        if session is None:
            return None
        if not session.wants_renewal(now) or not _takes_cookies(head):
            return OPEN
        hashed = htpasswd.users[session.user]
        return Passage((self._sessions.issue(session.user, hashed, now, session.name),))

    async def _by_password(self, head: RequestHead, htpasswd: Htpasswd) -> Passage | Refuse:
        """By ``Authorization: Basic``.

        A shut-out comes before everything else: even remembered passwords would tell
        somebody who guesses which of them is right.
        """
        address = counted_as(head.arrival.peer)
        shut = self._lockout.shut_seconds(address, monotonic())
        if shut:
            return too_many(shut)
        credentials = basic.read(basic.offered(head.values(b"authorization")))
        if credentials is None:
            return challenge(head, "The user and password cannot be read; log in again.")
        users = htpasswd.users
        digest = self.verifier.digest(credentials, users)
        attempt = self._attempts.get((address, digest))
        if attempt is None:
            known = self._known(head, address, digest)
            if isinstance(known, Refuse):
                return known
            if not known:
                attempt = self._begin(head, address, credentials, users, digest)
        if attempt is not None:
            refusal = await self._wait(address, attempt)
            if refusal is not None:
                return refusal
        hashed = users.get(credentials.user)
        if hashed is None or self._sessions is None or not _takes_cookies(head):
            return OPEN
        return Passage((self._sessions.issue(credentials.user, hashed, time.time()),))

    async def _wait(self, address: str, attempt: asyncio.Task[Refuse | None]) -> Refuse | None:
        """Wait for an attempt; it is not the request's own: who hangs up has tried as well."""
        if self._waiting[address] >= MOST_WAITING:
            return BUSY
        self._waiting[address] += 1
        try:
            return await asyncio.shield(attempt)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _known(self, head: RequestHead, address: str, digest: bytes) -> bool | Refuse:
        """True for a password known to be right; False when it has to be looked at.

        Before anything is looked up comes the question whether there is room for another
        attempt; otherwise guesses that cost nothing would tell what is remembered.
        """
        now = monotonic()
        if self._lockout.busy(address, now, MOST_AT_ONCE):
            return BUSY
        if self.verifier.remembers(digest):
            return True
        if self._lockout.failed_before(address, digest, now):
            return wrong(head)
        if self.verifier.crowded:
            sentence = "Too many people log in at this moment; try again soon."
            return Refuse(503, "basic-auth", sentence, fields=((b"Retry-After", b"5"),))
        return False

    def _begin(
        self,
        head: RequestHead,
        address: str,
        credentials: basic.Credentials,
        users: Mapping[str, str],
        digest: bytes,
    ) -> asyncio.Task[Refuse | None]:
        """One attempt, for every request that brings the same password meanwhile."""
        key = (address, digest)
        self._lockout.enter(address)
        attempt = spawn(self._try(head, address, credentials, users, digest), "login")

        def over(_: asyncio.Task[Refuse | None]) -> None:
            del self._attempts[key]
            self._lockout.leave(address)

        self._attempts[key] = attempt
        attempt.add_done_callback(over)
        return attempt

    async def _try(
        self,
        head: RequestHead,
        address: str,
        credentials: basic.Credentials,
        users: Mapping[str, str],
        digest: bytes,
    ) -> Refuse | None:
        lockout = self._lockout
        delay = lockout.delay_seconds(address, monotonic())
        await asyncio.sleep(delay)

        def still_wanted() -> bool:
            # Of many that came together the first ones may have failed by now.
            now = monotonic()
            return not lockout.shut_seconds(address, now) and (
                bool(delay) or not lockout.delay_seconds(address, now)
            )

        right = await self.verifier.check(credentials, users, digest, still_wanted)
        if right is None:
            shut = lockout.shut_seconds(address, monotonic())
            return too_many(shut) if shut else BUSY
        if not right:
            self._failed(address, credentials.user, digest)
            return wrong(head)
        log.info("basic-auth: %s logged in from %s", credentials.user, head.arrival.peer)
        lockout.succeeded(address, credentials.user)
        return None

    # Jupyter's

    async def _to_jupyters_login(self, head: RequestHead, passage: Passage) -> Passage | Refuse:
        """Let a login to Jupyter through, perhaps later.

        As many at once as failures are left, so that a burst tries no more than that.
        """
        address = counted_as(head.arrival.peer)
        lockout = self._lockout
        now = monotonic()
        shut = lockout.shut_seconds(address, now)
        if shut:
            return too_many(shut)
        if lockout.busy(address, now, lockout.remaining(address, now)):
            return BUSY
        lockout.enter(address)
        try:
            await asyncio.sleep(lockout.delay_seconds(address, now))
        except BaseException:
            lockout.leave(address)
            raise
        return Passage(passage.fields, Attempt(address, head.target.partition(b"?")[0]))

    def _with_token(self, head: RequestHead, passage: Passage) -> Passage | Refuse:
        """Let a token through to Jupyter, which finds it right or wrong."""
        begun = self._tokens.begin(head)
        if begun is None:
            return passage
        attempt = passage.attempt
        if isinstance(begun, Trial):
            attempt = attempt or Attempt(begun.address)
            attempt.trial = begun
            return Passage(passage.fields, attempt)
        if isinstance(begun, RequestHead):
            return Passage(passage.fields, attempt, begun)
        if attempt is not None:
            self._lockout.leave(attempt.address)
        return begun

    def _failed(self, address: str, account: str | bytes, secret: bytes | int) -> None:
        if self._lockout.failed(address, account, secret, monotonic()):
            self._tell_shut(address)

    def _tell_shut(self, address: str) -> None:
        seconds = self._lockout.shut_seconds(address, monotonic())
        log.warning("lockout: too many failed logins, %s is shut out for %d s", address, seconds)


def is_login(head: RequestHead) -> bool:
    """Whether somebody logs in to Jupyter (jupyter_server ``LoginFormHandler.post``).

    Under whatever path: Jupyter's base_url is a regular expression to it, and what runs
    behind Jupyter has logins too.
    """
    return head.method == b"POST" and head.target.partition(b"?")[0].endswith(b"/login")


def _takes_cookies(head: RequestHead) -> bool:
    """Whether our cookie may be set with the answer.

    Not on what the browser calls a part of a page: Jupyter marks much of that ``public``,
    and a shared cache in front must not get to keep anybody's session.
    """
    return is_websocket(head) or head.values(b"sec-fetch-mode") in ((), [b"navigate"])
