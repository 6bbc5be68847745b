"""Decides whether a request that passed the rules may reach Jupyter."""

from __future__ import annotations

import logging
from time import monotonic

from proxy.access.allow import ALLOW, Allow, LoginAttempt
from proxy.access.htpasswd import Htpasswd
from proxy.access.jupyter_login import JupyterLogin
from proxy.access.lockout import Lockout
from proxy.access.password_login import PasswordLogin
from proxy.access.password_verifier import PasswordVerifier
from proxy.access.refusals import BASIC_CHALLENGE
from proxy.access.revoked_sessions import Revoke
from proxy.access.session import CLEAR_SESSION_COOKIE, Sessions
from proxy.rules.decision import Refuse
from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.rules.site import Site

log = logging.getLogger("labgate")


class AccessControl:
    """Requires labgate's own password if there is an htpasswd file, and limits guessing.

    Args:
        lockout: Counts failed logins, labgate's and Jupyter's together.
        htpasswd: The users; None requires no password.
        sessions: Issues and checks the session cookies; needed with ``htpasswd``.
        key: Keys the digests of passwords and tokens; the same in all workers.
        revoke: Ends a session in every worker; needed with ``sessions``.
        name: Of the route. A success forgives failures for the same account of the same route, so
            that the owner of one Jupyter cannot guess the password of another without limit.
    """

    def __init__(
        self,
        lockout: Lockout,
        htpasswd: Htpasswd | None = None,
        sessions: Sessions | None = None,
        key: bytes | None = None,
        revoke: Revoke | None = None,
        *,
        name: str = "",
    ) -> None:
        self.lockout = lockout
        self.verifier = PasswordVerifier(key)
        self._jupyter = JupyterLogin(lockout, self._log_lockout, key, name)
        self._own: PasswordLogin | None = None
        if htpasswd is not None:
            self._own = PasswordLogin(
                lockout,
                self._log_lockout,
                htpasswd,
                self.verifier,
                sessions=sessions,
                revoke=revoke,
                name=name,
            )

    def check_now(self, head: RequestHead) -> Allow | Refuse | None:
        """Respond now, or return None: then ``await check(head)``."""
        allowed: Allow | Refuse | None = ALLOW if self._own is None else self._own.check_now(head)
        if allowed is None or isinstance(allowed, Refuse):
            return allowed
        # ``in`` costs more: see rules.target.is_ordinary.
        brings_token = head.target.find(b"?") >= 0 or b"authorization" in head.section.index
        if not brings_token and head.method != b"POST":
            # Most requests are no login to Jupyter either.
            return allowed
        return self._jupyter.check_now(head, allowed)

    async def check(self, head: RequestHead) -> Allow | Refuse:
        """Check the password; then wait until a login to Jupyter may be tried."""
        allowed = ALLOW if self._own is None else await self._own.check(head)
        return allowed if isinstance(allowed, Refuse) else await self._jupyter.check(head, allowed)

    def on_response_head(self, attempt: LoginAttempt, site: Site, answer: ResponseHead) -> None:
        """Count a wrong token; call it with the head of Jupyter's response."""
        self._jupyter.on_response_head(attempt, site, answer)

    def on_response_end(self, attempt: LoginAttempt, status: int) -> None:
        """Count a failed login; ``status`` is 0 if the client disconnected first."""
        self._jupyter.on_response_end(attempt, status)

    async def log_out(self, head: RequestHead) -> tuple[Field, ...]:
        """End the sessions whose cookies the request carries.

        Returns:
            Fields for a response with status 401, which makes a browser forget the password
            as well; otherwise it would log in again by itself.
        """
        if self._own is not None:
            await self._own.log_out(head)
        return (BASIC_CHALLENGE, CLEAR_SESSION_COOKIE)

    def _log_lockout(self, address: str) -> None:
        self.lockout.caused += 1
        seconds = self.lockout.locked_out_seconds(address, monotonic())
        log.warning("lockout: too many failed logins, %s is shut out for %d s", address, seconds)
