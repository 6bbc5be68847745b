"""What is learned of a page, and from whom."""

from __future__ import annotations

from proxy.cache.preloads import (
    LOAD_SECONDS,
    MAX_AUTHORITIES,
    MAX_HEAD_BYTES,
    MAX_LINKS,
    MAX_LOADS,
    MAX_SCRIPTS,
    Preloads,
)
from proxy.cache.stored_file import FileKey

LAB = b"lab.example.org"


def load(it: Preloads, *targets: bytes, client: str = "192.0.2.1", at: float = 0.0) -> None:
    """A load of the page; the first script is the largest."""
    it.page_sent(client, LAB, at)
    for number, target in enumerate(targets):
        it.script_sent(client, FileKey(LAB, target), 1000 - number, at)


def link(it: Preloads, *unusable: bytes, authority: bytes = LAB, head_bytes: int = 0) -> bytes:
    return it.link(authority, head_bytes, lambda key: key.target not in unusable)


def targets(value: bytes) -> list[bytes]:
    return [one.partition(b">")[0][1:] for one in value.split(b",") if one]


def test_the_scripts_of_most_loads_in_their_order() -> None:
    it = Preloads()
    load(it, b"/main.js", b"/core.js", b"/main.js", b"/opened.js")
    for _ in range(2):
        load(it, b"/core.js", b"/main.js")
    assert link(it) == b"</main.js>;rel=preload;as=script,</core.js>;rel=preload;as=script"
    assert targets(link(it, b"/main.js")) == [b"/core.js"], "not in the cache at present"
    assert link(it, authority=b"other.example.org") == b""
    it.clear()
    assert link(it) == b""


def test_only_clients_that_got_the_page_teach_it() -> None:
    it = Preloads()
    it.script_sent("192.0.2.1", FileKey(LAB, b"/a.js"), 9, 0.0)
    load(it)
    it.script_sent("192.0.2.2", FileKey(LAB, b"/a.js"), 9, 0.0)
    it.script_sent("192.0.2.1", FileKey(b"other.example.org", b"/a.js"), 9, 0.0)
    it.script_sent("192.0.2.1", FileKey(LAB, b"/later.js"), 9, LOAD_SECONDS + 0.1)
    it.script_sent("192.0.2.1", FileKey(LAB, b"/in-time.js"), 9, 0.0)
    assert link(it) == b"", "a load that took too long teaches nothing more"


def test_no_name_ends_the_link() -> None:
    it = Preloads()
    load(it, b"/a>;rel=preload;as=style,</b.css", b'/"a".js', b"/a,b.js", b"/@x/a-b_c~1.js?v=0")
    assert targets(link(it)) == [b"/@x/a-b_c~1.js?v=0"]


def test_the_largest_scripts_where_there_is_no_room_for_all() -> None:
    it = Preloads()
    load(it, b"/1.js", b"/2.js")
    it.script_sent("192.0.2.1", FileKey(LAB, b"/large.js"), 10**6, 0.0)
    all_of_them = link(it)
    assert targets(all_of_them) == [b"/1.js", b"/2.js", b"/large.js"]
    head = MAX_HEAD_BYTES - len(b"Link: " + all_of_them + b"\r\n")
    assert link(it, head_bytes=head) == all_of_them, "no octet more than allowed"
    assert targets(link(it, head_bytes=head + 1)) == [b"/1.js", b"/large.js"]
    assert link(it, head_bytes=MAX_HEAD_BYTES) == b""


def test_everything_has_a_bound() -> None:
    it = Preloads()
    for number in range(2 * MAX_LOADS):
        it.page_sent(f"192.0.2.{number}", LAB, 0.0)
    it.script_sent("192.0.2.0", FileKey(LAB, b"/forgotten.js"), 9, 0.0)
    assert link(it) == b""
    load(it, *(b"/%d.js" % number for number in range(2 * MAX_SCRIPTS)))
    assert targets(link(it)) == [b"/%d.js" % number for number in range(MAX_LINKS)]
    load(it, *(b"/%d.js" % number for number in range(MAX_SCRIPTS, 2 * MAX_SCRIPTS)))
    assert targets(link(it)) == [b"/%d.js" % number for number in range(MAX_LINKS)]
    for number in range(MAX_AUTHORITIES):
        authority = b"%d.example.org" % number
        it.page_sent("192.0.2.1", authority, 0.0)
        it.script_sent("192.0.2.1", FileKey(authority, b"/a.js"), 9, 0.0)
    assert link(it) == b""
    assert targets(link(it, authority=b"15.example.org")) == [b"/a.js"]
