"""A public path that the upstream does not know of (``strip_prefix``).

Requests lose it on their way up. On the way down, what the upstream says of its own paths gets it
back: Location, and the Path of cookies. Addresses inside of pages stay as they are, so only
programs fit here whose pages name each other relatively, or that read X-Forwarded-Prefix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from .head import RequestHead
from .prefixes import at_target, segments


class StrippedPrefix(NamedTuple):
    """Both forms of the same path, each with a slash at both ends.

    Attributes:
        public: What clients see.
        upstream: What stands for it at the upstream.
    """

    public: bytes
    upstream: bytes = b"/"

    @property
    def forwarded(self) -> bytes:
        """X-Forwarded-Prefix, as programs read it: without a slash at its end."""
        return self.public.rstrip(b"/")

    def head_up(self, head: RequestHead) -> RequestHead:
        """The request as the upstream gets it."""
        if not head.target.startswith(b"/"):
            # OPTIONS * is about the server as a whole.
            return head
        target = at_target(head.target, self.upstream, b"", len(segments(self.public)))
        return replace(head, target=target)

    def path_down(self, path: bytes) -> bytes:
        """A path of the upstream as clients see it; unchanged if it is none of those they reach."""
        if path.startswith(self.upstream):
            return self.public + path[len(self.upstream) :]
        return self.forwarded if path and path == self.upstream.rstrip(b"/") else path
