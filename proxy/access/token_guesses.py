"""Counts wrong tokens of Jupyter like failed logins."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from time import monotonic

from proxy.access.lockout import Lockout
from proxy.access.refusals import BUSY, too_many_failures
from proxy.rules.credentials import tokens, without_token
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead, ResponseHead
from proxy.rules.networks import limit_key
from proxy.rules.site import Site
from proxy.rules.token_check import is_token_accepted

REMEMBER_TOKEN_SECONDS = 300.0
MAX_REMEMBERED_TOKENS = 1024


@dataclass(slots=True, eq=False)
class TokenAttempt:
    """A running request with a token that Jupyter checks.

    Attributes:
        address: The address that a wrong token counts for.
        digest: A keyed digest of the token; the token itself is not stored.
        head: The head of the request.
    """

    address: str
    digest: bytes
    head: RequestHead


class TokenGuesses:
    """Counts the different wrong tokens of an address.

    A repeated token is one failure: an open tab of Lab sends an expired token many times. A token
    that Jupyter accepted within the last minutes is always allowed. Of other tokens, no more are
    tried concurrently than the address has failures left.

    Args:
        lockout: Counts them, together with failed logins.
        on_lockout: Called with an address when a failure locks it out.
        key: Keys the digests; the same in all workers.
    """

    def __init__(
        self, lockout: Lockout, on_lockout: Callable[[str], None], key: bytes | None = None
    ) -> None:
        self._lockout = lockout
        self._on_lockout = on_lockout
        self._key = key or secrets.token_bytes(32)
        self._under_way: dict[str, dict[bytes, int]] = {}
        self._right: OrderedDict[bytes, float] = OrderedDict()

    def start(self, head: RequestHead) -> TokenAttempt | RequestHead | Refuse | None:
        """Decide about the token of a request.

        Returns:
            None if there is no token to count. A ``TokenAttempt`` if Jupyter checks the token.
            While the address is locked out: the head without its token if the request has a
            login cookie, otherwise a refusal.
        """
        found_tokens = tokens(head)
        if not found_tokens or not self._lockout.is_enabled:
            return None
        address = limit_key(head.arrival.peer)
        now = monotonic()
        locked_out = self._lockout.locked_out_seconds(address, now)
        if locked_out:
            bare = replace(head, fields=without_token(head.fields))
            return (
                bare
                if head.values(b"cookie") and not tokens(bare)
                else too_many_failures(locked_out)
            )
        digest = blake2b(found_tokens, key=self._key, person=b"token").digest()
        if self._remembers(digest, now):
            return None
        under_way = self._under_way.get(address)
        if under_way is None:
            under_way = self._under_way[address] = {}
        if digest not in under_way and len(under_way) >= self._lockout.max_concurrent_tokens(
            address, now
        ):
            # Count it without trying it: otherwise a free guess would reveal whether the token
            # is remembered.
            self._failed(address, digest)
            return BUSY
        under_way[digest] = under_way.get(digest, 0) + 1
        return TokenAttempt(address, digest, head)

    def on_response(self, token_attempt: TokenAttempt, answer: ResponseHead, site: Site) -> None:
        """Count the token as right or wrong, by Jupyter's response."""
        self._release(token_attempt)
        match is_token_accepted(token_attempt.head, answer, site):
            case True:
                # It may have counted as wrong before, on a page that checks no token.
                self._lockout.succeeded(token_attempt.address, token_attempt.digest)
                self._remember(token_attempt.digest, monotonic())
            case False:
                self._failed(token_attempt.address, token_attempt.digest)

    def on_no_response(self, token_attempt: TokenAttempt, status: int) -> None:
        """Handle a request that Jupyter did not answer.

        Args:
            token_attempt: The attempt that ends.
            status: The status that labgate answered instead; 0 if the client disconnected,
                which counts as a wrong token.
        """
        self._release(token_attempt)
        if status == 0:
            self._failed(token_attempt.address, token_attempt.digest)

    def _failed(self, address: str, digest: bytes) -> None:
        self._right.pop(digest, None)
        if self._lockout.failed(address, digest, digest, monotonic()):
            self._on_lockout(address)

    def _release(self, token_attempt: TokenAttempt) -> None:
        under_way = self._under_way[token_attempt.address]
        under_way[token_attempt.digest] -= 1
        if not under_way[token_attempt.digest]:
            del under_way[token_attempt.digest]
            if not under_way:
                del self._under_way[token_attempt.address]

    def _remember(self, digest: bytes, now: float) -> None:
        self._right[digest] = now + REMEMBER_TOKEN_SECONDS
        self._right.move_to_end(digest)
        while len(self._right) > MAX_REMEMBERED_TOKENS:
            self._right.popitem(last=False)

    def _remembers(self, digest: bytes, now: float) -> bool:
        until = self._right.get(digest)
        if until is None:
            return False
        if until > now:
            # Extend it even if Jupyter no longer accepts it: the same token is no new guess.
            self._remember(digest, now)
            return True
        del self._right[digest]
        return False
