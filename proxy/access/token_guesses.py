"""Guesses at Jupyter's token: a wrong one counts like a failed login."""

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
from proxy.rules.model import Refuse, RequestHead, ResponseHead, Site
from proxy.rules.networks import limit_key
from proxy.rules.token_check import is_token_accepted

REMEMBER_TOKEN_SECONDS = 300.0
MAX_REMEMBERED_TOKENS = 1024


@dataclass(slots=True, eq=False)
class TokenAttempt:
    """A request under way whose token Jupyter is going to find right or wrong.

    Attributes:
        address: Whom a wrong one counts for.
        digest: Stands for the token, which is kept nowhere.
        head: The request.
    """

    address: str
    digest: bytes
    head: RequestHead


class TokenGuesses:
    """Counts the different wrong tokens of an address.

    One that is repeated is one failure, however often an open tab of Lab comes with a token
    that has expired. A right one never waits: what Jupyter has taken within the last minutes
    passes, and of others as many different ones are tried at once as failures are left.

    Args:
        lockout: Counts them, together with failed logins.
        on_lockout: Called with an address that one failure more has shut out.
        key: For the digests; several processes that compare them have the same.
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
        """What becomes of a request; None when there is nothing to try in it.

        While its address is shut out no token is tried: whoever is logged in works on with the
        head that is returned, which has none, and anybody else is refused.
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
            # Counted without having been tried: a guess that costs nothing must not tell
            # whether it is one of those that are known.
            self._failed(address, digest)
            return BUSY
        under_way[digest] = under_way.get(digest, 0) + 1
        return TokenAttempt(address, digest, head)

    def on_response(self, token_attempt: TokenAttempt, answer: ResponseHead, site: Site) -> None:
        """Jupyter has answered."""
        self._release(token_attempt)
        match is_token_accepted(token_attempt.head, answer, site):
            case True:
                # Where it was taken for wrong before, as by a page that looks at no token.
                self._lockout.succeeded(token_attempt.address, token_attempt.digest)
                self._remember(token_attempt.digest, monotonic())
            case False:
                self._failed(token_attempt.address, token_attempt.digest)

    def on_no_response(self, token_attempt: TokenAttempt, status: int) -> None:
        """There was no answer of Jupyter's.

        Args:
            token_attempt: Is over.
            status: What labgate answered in Jupyter's place; 0 when the client did not wait:
                it has tried all the same.
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
            # Were it taken no longer, it would still be one and the same, and no guess.
            self._remember(digest, now)
            return True
        del self._right[digest]
        return False
