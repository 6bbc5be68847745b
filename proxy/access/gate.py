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
from proxy.access.password_verifier import PasswordVerifier
from proxy.access.refusals import BUSY, CHALLENGE, challenge, too_many_failures, wrong_password
from proxy.access.revoked_sessions import Revocation, Revoke
from proxy.access.session import CLEAR_SESSION_COOKIE, Sessions
from proxy.access.token_guesses import TokenAttempt, TokenGuesses
from proxy.rules.model import Field, Refuse, RequestHead, ResponseHead, Site
from proxy.rules.networks import limit_key
from proxy.rules.origin import is_websocket
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate")

MAX_CONCURRENT_LOGINS_PER_ADDRESS = 32
"""Logins of one address that may wait for their turn: a class behind one NAT."""

MAX_WAITING_REQUESTS_PER_ADDRESS = 64
"""Requests of one address that wait for those; more could use up ``limits.requests``."""


@dataclass(slots=True, eq=False)
class LoginAttempt:
    """Jupyter is asked for something that it may find wrong.

    Attributes:
        address: Whom a failure counts for.
        login: The path of a login; empty for none.
        token_attempt: A token that is tried.
    """

    address: str
    login: bytes = b""
    token_attempt: TokenAttempt | None = None


@dataclass(frozen=True, slots=True)
class Allow:
    """The request may go on.

    Attributes:
        fields: Belong into the head of the answer.
        attempt: Pass it to ``Gate.on_response_head`` and to ``Gate.on_response_end``.
        head: The request that may go on, where that is not the one that came.
    """

    fields: tuple[Field, ...] = ()
    attempt: LoginAttempt | None = None
    head: RequestHead | None = None


ALLOW = Allow()


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
        revoke: Revoke | None = None,
    ) -> None:
        self._lockout = lockout
        self._htpasswd = htpasswd
        self._sessions = sessions
        self._revoke = revoke
        self.verifier = PasswordVerifier(key)
        self._token_guesses = TokenGuesses(lockout, self._log_lockout, key)
        self._attempts: dict[tuple[str, bytes], asyncio.Task[Refuse | None]] = {}
        self._waiting: Counter[str] = Counter()
        self._numbers = itertools.count()

    def check_now(self, head: RequestHead) -> Allow | Refuse | None:
        """The answer where nothing has to be waited for; None: ``await check(head)``."""
        allowed: Allow | None = ALLOW
        if self._htpasswd is not None:
            allowed = self._by_session(head, self._htpasswd)
            if allowed is None and not basic.basic_values(head.values(b"authorization")):
                return challenge(head, "Log in to come in here.")
        if allowed is None or is_login(head):
            return None
        return self._with_token(head, allowed)

    async def check(self, head: RequestHead) -> Allow | Refuse:
        """Check the password, then whether a login to Jupyter may be tried."""
        allowed: Allow | Refuse = ALLOW
        if self._htpasswd is not None:
            allowed = self._by_session(head, self._htpasswd) or await self._by_password(
                head, self._htpasswd
            )
        if isinstance(allowed, Allow) and is_login(head):
            allowed = await self._to_jupyters_login(head, allowed)
        return allowed if isinstance(allowed, Refuse) else self._with_token(head, allowed)

    def on_response_head(self, attempt: LoginAttempt, site: Site, answer: ResponseHead) -> None:
        """Jupyter's answer has begun."""
        token_attempt, attempt.token_attempt = attempt.token_attempt, None
        if token_attempt is not None:
            self._token_guesses.on_response(token_attempt, answer, site)

    def on_response_end(self, attempt: LoginAttempt, status: int) -> None:
        """The client was answered; 0 when it did not wait for it.

        Jupyter answers 401 to a wrong password and 302 to a right one. A 403 is about
        XSRF and not about a password, and while Jupyter is down nothing was tried.
        """
        token_attempt, attempt.token_attempt = attempt.token_attempt, None
        if token_attempt is not None:
            self._token_guesses.on_no_response(token_attempt, status)
        if not attempt.login:
            return
        self._lockout.release(attempt.address)
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
        return (CHALLENGE, CLEAR_SESSION_COOKIE)

    # labgate's own

    def _by_session(self, head: RequestHead, htpasswd: Htpasswd) -> Allow | None:
        """By its cookie.

        A shut-out does not touch it: other people's failures behind the same NAT do not end
        anybody's work.
        """
        htpasswd.reload_if_changed()
        cookies = head.values(b"cookie")
        if not cookies or self._sessions is None:
            return None
        now = time.time()
        session = self._sessions.find(cookies, htpasswd.users, now)
        if session is None:
            return None
        if not session.needs_renewal(now) or not _takes_cookies(head):
            return ALLOW
        hashed = htpasswd.users[session.user]
        return Allow((self._sessions.issue(session.user, hashed, now, session.name),))

    async def _by_password(self, head: RequestHead, htpasswd: Htpasswd) -> Allow | Refuse:
        """By ``Authorization: Basic``.

        A shut-out comes before everything else: even remembered passwords would tell
        somebody who guesses which of them is right.
        """
        address = limit_key(head.arrival.peer)
        locked_out = self._lockout.locked_out_seconds(address, monotonic())
        if locked_out:
            return too_many_failures(locked_out)
        credentials = basic.parse(basic.basic_values(head.values(b"authorization")))
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
            return ALLOW
        return Allow((self._sessions.issue(credentials.user, hashed, time.time()),))

    async def _wait(self, address: str, attempt: asyncio.Task[Refuse | None]) -> Refuse | None:
        """Wait for an attempt; it is not the request's own: who hangs up has tried as well."""
        if self._waiting[address] >= MAX_WAITING_REQUESTS_PER_ADDRESS:
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
        if self._lockout.is_busy(address, now, MAX_CONCURRENT_LOGINS_PER_ADDRESS):
            return BUSY
        if self.verifier.remembers(digest):
            return True
        if self._lockout.failed_before(address, digest, now):
            return wrong_password(head)
        if self.verifier.is_overloaded:
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
        self._lockout.acquire(address)
        attempt = spawn(self._try(head, address, credentials, users, digest), "login")

        def over(_: asyncio.Task[Refuse | None]) -> None:
            del self._attempts[key]
            self._lockout.release(address)

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
            return not lockout.locked_out_seconds(address, now) and (
                bool(delay) or not lockout.delay_seconds(address, now)
            )

        right = await self.verifier.check(credentials, users, digest, still_wanted)
        if right is None:
            locked_out = lockout.locked_out_seconds(address, monotonic())
            return too_many_failures(locked_out) if locked_out else BUSY
        if not right:
            self._failed(address, credentials.user, digest)
            return wrong_password(head)
        log.info("basic-auth: %s logged in from %s", credentials.user, head.arrival.peer)
        lockout.succeeded(address, credentials.user)
        return None

    # Jupyter's

    async def _to_jupyters_login(self, head: RequestHead, allowed: Allow) -> Allow | Refuse:
        """Let a login to Jupyter through, perhaps later.

        As many at once as failures are left, so that a burst tries no more than that.
        """
        address = limit_key(head.arrival.peer)
        lockout = self._lockout
        now = monotonic()
        locked_out = lockout.locked_out_seconds(address, now)
        if locked_out:
            return too_many_failures(locked_out)
        if lockout.is_busy(address, now, lockout.remaining_failures(address, now)):
            return BUSY
        lockout.acquire(address)
        try:
            await asyncio.sleep(lockout.delay_seconds(address, now))
        except BaseException:
            lockout.release(address)
            raise
        return Allow(allowed.fields, LoginAttempt(address, head.target.partition(b"?")[0]))

    def _with_token(self, head: RequestHead, allowed: Allow) -> Allow | Refuse:
        """Let a token through to Jupyter, which finds it right or wrong."""
        started = self._token_guesses.start(head)
        if started is None:
            return allowed
        attempt = allowed.attempt
        if isinstance(started, TokenAttempt):
            attempt = attempt or LoginAttempt(started.address)
            attempt.token_attempt = started
            return Allow(allowed.fields, attempt)
        if isinstance(started, RequestHead):
            return Allow(allowed.fields, attempt, started)
        if attempt is not None:
            self._lockout.release(attempt.address)
        return started

    def _failed(self, address: str, account: str | bytes, secret: bytes | int) -> None:
        if self._lockout.failed(address, account, secret, monotonic()):
            self._log_lockout(address)

    def _log_lockout(self, address: str) -> None:
        seconds = self._lockout.locked_out_seconds(address, monotonic())
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
