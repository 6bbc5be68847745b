"""Logins to Jupyter itself: limits how many an address may try, and counts those that fail."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from time import monotonic

from proxy.access.allow import Allow, LoginAttempt
from proxy.access.lockout import Lockout
from proxy.access.refusals import BUSY, too_many_failures
from proxy.access.token_guesses import TokenAttempt, TokenGuesses
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead, ResponseHead
from proxy.rules.networks import limit_key
from proxy.rules.site import Site

UNIQUE_BYTES = 8
"""Instead of the password, which nobody reads here: a failure with a secret of before would count
as the same one, in other processes too."""


class JupyterLogin:
    """Limits attempts at Jupyter's password and token.

    Args:
        lockout: Counts the failures by address.
        on_lockout: Called with an address when a failure locks it out.
        key: Keys the digests of tokens; the same in all workers.
        name: Of the route, which its logins are counted by.
    """

    def __init__(
        self,
        lockout: Lockout,
        on_lockout: Callable[[str], None],
        key: bytes | None = None,
        name: str = "",
    ) -> None:
        self._lockout = lockout
        self._name = name.encode()
        self._on_lockout = on_lockout
        self._token_guesses = TokenGuesses(lockout, on_lockout, key)

    def check_now(self, head: RequestHead, allowed: Allow) -> Allow | Refuse | None:
        """Respond now, or return None for a login: then ``await check(head)``."""
        return None if _is_login(head) else self._check_token(head, allowed)

    async def check(self, head: RequestHead, allowed: Allow) -> Allow | Refuse:
        """Wait until a login may be tried; then check the token."""
        outcome = await self._delay_login(head, allowed) if _is_login(head) else allowed
        return outcome if isinstance(outcome, Refuse) else self._check_token(head, outcome)

    def on_response_head(self, attempt: LoginAttempt, site: Site, answer: ResponseHead) -> None:
        """Read from the head of Jupyter's response whether the token was right."""
        token_attempt, attempt.token_attempt = attempt.token_attempt, None
        if token_attempt is not None:
            self._token_guesses.on_response(token_attempt, answer, site)

    def on_response_end(self, attempt: LoginAttempt, status: int) -> None:
        """Count the login by the status that the client got; 0 if it disconnected first.

        Jupyter answers 401 to a wrong password and 302 to a right one. A 403 is about
        XSRF and not about a password, and while Jupyter is down nothing was tried.
        """
        token_attempt, attempt.token_attempt = attempt.token_attempt, None
        if token_attempt is not None:
            self._token_guesses.on_no_response(token_attempt, status)
        if not attempt.login:
            return
        address, account = attempt.address, attempt.login
        self._lockout.release(address)
        if status in (401, 0):
            if self._lockout.failed(
                address, account, secrets.token_bytes(UNIQUE_BYTES), monotonic()
            ):
                self._on_lockout(address)
        elif status in (302, 303):
            self._lockout.succeeded(address, account)

    async def _delay_login(self, head: RequestHead, allowed: Allow) -> Allow | Refuse:
        """Wait until this login may be tried.

        No more logins run at once than the address has failures left, so a burst of guesses
        tries no more than that.
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
        path = head.target.partition(b"?")[0]
        return Allow(allowed.fields, LoginAttempt(address, self._name + path))

    def _check_token(self, head: RequestHead, allowed: Allow) -> Allow | Refuse:
        """Allow a token to reach Jupyter, unless the address guesses too many."""
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


def _is_login(head: RequestHead) -> bool:
    """Whether the request logs in to Jupyter (jupyter_server ``LoginFormHandler.post``).

    The path before ``/login`` may be any: Jupyter uses base_url as a regular expression, and
    applications behind Jupyter have logins, too.
    """
    return head.method == b"POST" and head.target.partition(b"?")[0].endswith(b"/login")
