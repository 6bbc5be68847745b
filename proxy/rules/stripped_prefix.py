"""A public path that the upstream does not know of (``strip_prefix``).

Requests lose it on their way up. On the way down, what the upstream says of its own paths gets it
back: Location, and the Path of cookies. Addresses inside of pages stay as they are, so only
programs fit here whose pages name each other relatively, or that read X-Forwarded-Prefix: what
these say of their own paths has it already.
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
        """A path of the upstream as clients see it; unchanged if it is none of those they reach.

        One below the public path is of a program that reads X-Forwarded-Prefix, and unchanged, too.
        """
        below_upstream = _is_below(path, self.upstream)
        if _is_below(path, self.public):
            # Where one of the two begins with the other, the longer one counts.
            below_upstream = below_upstream and len(self.upstream) > len(self.public)
        return self.forwarded + path[len(self.upstream) - 1 :] if below_upstream else path


def _is_below(path: bytes, folder: bytes) -> bool:
    """Whether a path, perhaps with a query, is below a folder or is it without its slash."""
    return path.startswith(folder) or (
        path.startswith(b"/")
        and path.startswith(folder[:-1])
        and path[len(folder) - 1 : len(folder)] in (b"", b"?", b"#")
    )
