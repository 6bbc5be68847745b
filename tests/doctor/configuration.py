"""A proxy's configuration as entries by place, so that one can be left out, changed or pasted.

The places are those that the mends of ``proxy.symptoms`` name in their comments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

NAME_WORDS = MappingProxyType(
    {
        **dict.fromkeys(("proxy_set_header", "proxy_cookie_flags", "add_header", "listen"), 2),
        **dict.fromkeys(("map", "if"), 3),
        **dict.fromkeys(("header_up", "header_down", "transport"), 2),
        **dict.fromkeys(("http-request", "http-response"), 3),
        **dict.fromkeys(("timeout", "option", "server", "bind"), 2),
        **dict.fromkeys(("RequestHeader", "Header"), 3),
        **dict.fromkeys(("ProxyPass", "SetEnv", "RewriteCond", "Redirect"), 2),
    }
)
"""How many words of an entry say what it sets, where the first alone does not."""

TAKE_OUT = "# Take out: "


@dataclass(frozen=True)
class Configuration:
    """Entries by place.

    Attributes:
        server: The name of the server, as in a mend.
        places: For each place its entries, in order; a block is one entry of several lines.
        path: The part of the proxy's URL after its port.
        certificate: The name of a pair of ``tests.doctor.certificates.Certificates``.
    """

    server: str
    places: Mapping[str, tuple[str, ...]]
    path: str = "/"
    certificate: str = "good"

    def without(self, *beginnings: str) -> Configuration:
        """Without the entries that begin so; of each there is one."""
        changed = self
        for beginning in beginnings:
            less = changed.take_out(beginning)
            assert less != changed, f"nothing begins with {beginning}"
            changed = less
        return changed

    def put(self, place: str, *added: str) -> Configuration:
        """With these entries, each instead of those that set the same at this place."""
        names = {name(entry) for entry in added}
        kept = tuple(entry for entry in self.places[place] if name(entry) not in names)
        return replace(self, places={**self.places, place: kept + added})

    def add(self, place: str, *added: str) -> Configuration:
        """With these entries besides all others."""
        return replace(self, places={**self.places, place: self.places[place] + added})

    def pasted(self, mend: str) -> Configuration:
        """As somebody makes it who reads a mend: its lines at the places it names."""
        mended, place = self, ""
        added: dict[str, list[str]] = {}
        for entry in entries(mend):
            if entry.startswith(TAKE_OUT):
                mended = mended.take_out(entry.removeprefix(TAKE_OUT).removesuffix("…"))
            elif entry.startswith("#"):
                places = [known for known in self.places if entry[2:].startswith(known)]
                place = places[0] if places else place
            else:
                assert place, f"the mend does not say where {entry!r} belongs"
                added.setdefault(place, []).append(entry)
        for place, lines in added.items():
            mended = mended.put(place, *lines)
        return mended

    def take_out(self, beginning: str) -> Configuration:
        """Without the entries that begin so, if there are any."""
        places = {
            place: tuple(
                entry for entry in entries if not entry.lower().startswith(beginning.lower())
            )
            for place, entries in self.places.items()
        }
        return replace(self, places=places)


def name(entry: str) -> str:
    """What an entry sets."""
    words = entry.split()
    return " ".join(words[: NAME_WORDS.get(words[0], 1)])


def entries(lines: str) -> Iterator[str]:
    """The entries of a text; what is indented, and what closes it, belongs to the line before."""
    block: list[str] = []
    for line in lines.splitlines():
        if block and not line.startswith((" ", "}", "</")):
            yield "\n".join(block)
            block = []
        block.append(line)
    if block:
        yield "\n".join(block)
