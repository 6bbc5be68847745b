"""Which scripts a page will ask for, learned from earlier loads of it; no I/O.

JupyterLab's page names one script, that one names the next ones, and so on: a browser learns of
most after three round trips. A Link field of the page tells it at once (RFC 8288; HTML's
``preload``). Learned is only from a client that Jupyter has just given the page, only of files in
the cache, which everybody may have, and it is said in responses with the page alone.

Through a line of 20 Mbit/s and 40 ms, Chromium shows the launcher after 2.95 s instead of 3.13 s,
and with 5 Mbit/s and 80 ms after 4.66 s instead of 4.82 s (HTTP/1.1, medians of 8 or 9 cold loads
in turns). The first script has to be among those that are named: a browser asks for it with a lower
priority than for those, and over HTTP/1.1 it would come last.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from proxy.cache.stored_file import FileKey

LOAD_SECONDS = 10.0
"""After the page; what is asked for later is not part of every load, but of what a person does."""
MAX_LOADS = 64
"""Clients that are followed at once."""
MAX_AUTHORITIES = 16
MAX_SCRIPTS = 256
"""Counted for one authority."""
MAX_LINKS = 64
MAX_HEAD_BYTES = 3900
"""Of the whole head: an nginx in front of labgate takes 4096 (proxy_buffer_size), and answers 502
to more. Some fields are added behind this one."""

_FIELD = b"Link: \r\n"
_QUOTABLE = re.compile(rb"[\w\-./~@+?=]+")
"""What may stand between ``<`` and ``>``."""


@dataclass(slots=True)
class Script:
    """A script as it was asked for.

    Attributes:
        size: Its octets as they are sent.
        loads: In how many loads it was.
    """

    size: int
    loads: int = 0


class Preloads:
    """Counts how often each script was part of a load of the page."""

    def __init__(self) -> None:
        self._loads: OrderedDict[str, tuple[float, bytes, set[bytes]]] = OrderedDict()
        self._scripts: OrderedDict[bytes, dict[bytes, Script]] = OrderedDict()

    def page_sent(self, client: str, authority: bytes, now: float) -> None:
        """A client got the page.

        Args:
            client: Its address.
            authority: Of the request, in lower case.
            now: ``time.monotonic()``.
        """
        self._loads.pop(client, None)
        self._loads[client] = (now, authority, set())
        if len(self._loads) > MAX_LOADS:
            self._loads.popitem(last=False)

    def script_sent(self, client: str, key: FileKey, size: int, now: float) -> None:
        """A client got a script of the cache, of so many octets."""
        load = self._loads.get(client)
        if load is None:
            return
        since, authority, seen = load
        if now - since > LOAD_SECONDS:
            del self._loads[client]
            return
        target = key.target
        if authority != key.authority or target in seen or not _QUOTABLE.fullmatch(target):
            return
        scripts = self._scripts.setdefault(authority, {})
        if target not in scripts and len(scripts) == MAX_SCRIPTS:
            return
        seen.add(target)
        script = scripts.setdefault(target, Script(size))
        script.size, script.loads = size, script.loads + 1
        if len(self._scripts) > MAX_AUTHORITIES:
            self._scripts.popitem(last=False)

    def link(
        self, authority: bytes, head_bytes: int, is_usable: Callable[[FileKey], bool]
    ) -> bytes:
        """The value of the page's Link field, in the order of the first load; empty for none.

        Where there is no room for all, the smallest ones are left out: they cost a load least.

        Args:
            authority: Of the request, in lower case.
            head_bytes: What the head takes without the field.
            is_usable: Whether a file can be answered from the cache now.
        """
        scripts = self._scripts.get(authority)
        if not scripts:
            return b""
        most = max(script.loads for script in scripts.values())
        usual = [target for target, script in scripts.items() if 2 * script.loads >= most]
        links: dict[bytes, bytes] = {}
        room = MAX_HEAD_BYTES - head_bytes - len(_FIELD)
        for target in sorted(usual, key=lambda target: -scripts[target].size):
            if len(links) == MAX_LINKS:
                break
            link = b"<%b>;rel=preload;as=script" % target
            if len(link) <= room and is_usable(FileKey(authority, target)):
                links[target] = link
                room -= len(link + b",")
        return b",".join(links[target] for target in usual if target in links)

    def clear(self) -> None:
        """Jupyter is another: its page has other files."""
        self._scripts.clear()
        self._loads.clear()
