"""labgate's own login: a session cookie, or a user and password of the htpasswd file."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from time import monotonic

from proxy.access import basic
from proxy.access.allow import ALLOW, Allow
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.password_verifier import PasswordVerifier
from proxy.access.refusals import BUSY, OVERLOADED, challenge, too_many_failures, wrong_password
from proxy.access.revoked_sessions import Revocation, Revoke
from proxy.access.session import Sessions
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.rules.networks import limit_key
from proxy.rules.origin import is_websocket
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate")

MAX_CONCURRENT_LOGINS_PER_ADDRESS = 32
"""Different passwords of one address that are checked or wait: a class behind one NAT."""

MAX_WAITING_REQUESTS_PER_ADDRESS = 64
"""Requests of one address that wait for those checks; more could use up ``limits.requests``."""


class PasswordLogin:
    """Checks cookies and passwords, and limits how many an address may try.

    Args:
        lockout: Counts the failures by address.
        on_lockout: Called with an address when a failure locks it out.
        htpasswd: The users.
        verifier: Checks passwords.
        sessions: Issues and checks the session cookies; None issues none.
        revoke: Ends a session in every worker.
        name: Of the route, which its accounts are counted by.
    """

    def __init__(
        self,
        lockout: Lockout,
        on_lockout: Callable[[str], None],
        htpasswd: Htpasswd,
        verifier: PasswordVerifier,
        *,
        sessions: Sessions | None,
        revoke: Revoke | None,
        name: str,
    ) -> None:
        self._lockout = lockout
        self._on_lockout = on_lockout
        self._htpasswd = htpasswd
        self._verifier = verifier
        self._sessions = sessions
        self._revoke = revoke
        self._name = name
        self._checks: dict[tuple[str, bytes], asyncio.Task[Refuse | None]] = {}
        self._waiting: Counter[str] = Counter()

    def check_now(self, head: RequestHead) -> Allow | Refuse | None:
        """Respond now, or return None: then ``await check(head)``."""
        allowed = self._by_session(head)
        if allowed is None and not basic.basic_values(head.values(b"authorization")):
            return challenge(head, "Log in to come in here.")
        return allowed

    async def check(self, head: RequestHead) -> Allow | Refuse:
        """Check the session cookie, then the password."""
        return self._by_session(head) or await self._by_password(head)

    async def log_out(self, head: RequestHead) -> None:
        """End the sessions whose cookies the request carries."""
        if self._sessions is None or self._revoke is None:
            return
        cookies, now = head.values(b"cookie"), time.time()
        for session in list(self._sessions.valid(cookies, self._htpasswd.users, now)):
            revocation = Revocation(session.user, session.name, int(now))
            # The session ends even if the client disconnects now.
            await asyncio.shield(spawn(self._revoke(revocation), "logout"))
            log.info("basic-auth: %s logged out from %s", session.user, head.arrival.peer)

    def _by_session(self, head: RequestHead) -> Allow | None:
        """Allow a request with a valid session cookie.

        A lockout does not apply to it: failures of other people behind the same NAT must not
        interrupt anybody's work.
        """
        users = self._htpasswd
        users.reload_if_changed()
        cookies = head.values(b"cookie")
        if not cookies or self._sessions is None:
            return None
        now = time.time()
        session = self._sessions.find(cookies, users.users, now)
        if session is None:
            return None
        if not session.needs_renewal(now) or not _may_set_cookie(head):
            return ALLOW
        hashed = users.users[session.user]
        return Allow((self._sessions.issue(session.user, hashed, now, session.name),))

    async def _by_password(self, head: RequestHead) -> Allow | Refuse:
        """Check ``Authorization: Basic``.

        The lockout is checked before everything else: if remembered passwords were still
        accepted, an attacker could tell which guess was right.
        """
        address = limit_key(head.arrival.peer)
        locked_out = self._lockout.locked_out_seconds(address, monotonic())
        if locked_out:
            return too_many_failures(locked_out)
        credentials = basic.parse_basic(basic.basic_values(head.values(b"authorization")))
        if credentials is None:
            return challenge(head, "The user and password cannot be read; log in again.")
        users = self._htpasswd.users
        digest = self._verifier.digest(credentials, users)
        check = self._checks.get((address, digest))
        if check is None:
            known = self._is_known(head, address, digest)
            if isinstance(known, Refuse):
                return known
            if not known:
                check = self._start_check(head, address, credentials, users, digest)
        if check is not None:
            refusal = await self._wait(address, check)
            if refusal is not None:
                return refusal
        hashed = users.get(credentials.user)
        if hashed is None or self._sessions is None or not _may_set_cookie(head):
            return ALLOW
        return Allow((self._sessions.issue(credentials.user, hashed, time.time()),))

    async def _wait(self, address: str, check: asyncio.Task[Refuse | None]) -> Refuse | None:
        """Wait for a check, which goes on even if this request's client disconnects."""
        if self._waiting[address] >= MAX_WAITING_REQUESTS_PER_ADDRESS:
            return BUSY
        self._waiting[address] += 1
        try:
            return await asyncio.shield(check)
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _is_known(self, head: RequestHead, address: str, digest: bytes) -> bool | Refuse:
        """True if the password is remembered as right, False if it must be checked.

        The limit of concurrent checks comes first: otherwise free guesses would reveal which
        passwords are remembered.
        """
        now = monotonic()
        if self._lockout.is_busy(address, now, MAX_CONCURRENT_LOGINS_PER_ADDRESS):
            return BUSY
        if self._verifier.remembers(digest):
            return True
        if self._lockout.failed_before(address, digest, now):
            return wrong_password(head)
        return OVERLOADED if self._verifier.is_overloaded else False

    def _start_check(
        self,
        head: RequestHead,
        address: str,
        credentials: basic.BasicCredentials,
        users: Mapping[str, str],
        digest: bytes,
    ) -> asyncio.Task[Refuse | None]:
        """Start one check, shared by all requests with the same password meanwhile."""
        key = (address, digest)
        self._lockout.acquire(address)
        check = spawn(self._check_password(head, address, credentials, users, digest), "login")

        def finished(_: asyncio.Task[Refuse | None]) -> None:
            del self._checks[key]
            self._lockout.release(address)

        self._checks[key] = check
        check.add_done_callback(finished)
        return check

    async def _check_password(
        self,
        head: RequestHead,
        address: str,
        credentials: basic.BasicCredentials,
        users: Mapping[str, str],
        digest: bytes,
    ) -> Refuse | None:
        lockout = self._lockout
        delay = lockout.delay_seconds(address, monotonic())
        await asyncio.sleep(delay)

        def still_wanted() -> bool:
            # Checks that started together may have failed meanwhile.
            now = monotonic()
            return not lockout.locked_out_seconds(address, now) and (
                bool(delay) or not lockout.delay_seconds(address, now)
            )

        right = await self._verifier.check(credentials, users, digest, still_wanted)
        if right is None:
            locked_out = lockout.locked_out_seconds(address, monotonic())
            return too_many_failures(locked_out) if locked_out else BUSY
        if not right:
            if lockout.failed(address, self._account(credentials.user), digest, monotonic()):
                self._on_lockout(address)
            return wrong_password(head)
        log.info("basic-auth: %s logged in from %s", credentials.user, head.arrival.peer)
        lockout.succeeded(address, self._account(credentials.user))
        return None

    def _account(self, user: str) -> str:
        return f"{self._name} {user}" if self._name else user


def _may_set_cookie(head: RequestHead) -> bool:
    """Whether the response may set the session cookie.

    Not on subresources of a page: Jupyter marks many of them ``public``, and a shared cache
    in front must not store a session cookie.
    """
    return is_websocket(head) or head.values(b"sec-fetch-mode") in ((), (b"navigate",))
