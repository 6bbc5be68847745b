"""The longest prefix in whole segments, and request targets for upstreams with paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rules.prefixes import PrefixTree, at_target, routed_path, segments, without_prefix
from tests.heads import get

FOUND = [
    (b"/", b"/"),
    (b"/other", b"/"),
    (b"/user", b"/"),
    (b"/user/ada", b"/user/ada"),
    (b"/user/ada/", b"/user/ada"),
    (b"/user/ada/tree/x", b"/user/ada"),
    (b"/user/adam", b"/"),
    (b"/user/ada/lab/tree", b"/user/ada/lab"),
    (b"//user/ada", b"/user/ada"),
    (b"/user//ada", b"/"),
    (b"/X", b"/X"),
    (b"/X/user/ada/X", b"/X"),
]


@pytest.mark.parametrize(("path", "prefix"), FOUND)
def test_the_longest_prefix_of_whole_segments(path: bytes, prefix: bytes) -> None:
    tree: PrefixTree[bytes] = PrefixTree()
    for known in (b"/", b"/user/ada", b"/user/ada/lab", b"/X"):
        tree.set(known, known)
    assert tree.find(path) == prefix


def test_without_a_default_there_may_be_none() -> None:
    tree: PrefixTree[int] = PrefixTree()
    assert tree.find(b"/x") is None
    tree.set(b"/user/ada", 1)
    assert tree.find(b"/user") is None
    tree.remove(b"/never/there")
    assert tree.find(b"/user/ada") == 1


PATHS = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=4).map(b"/".join)


@given(st.lists(st.tuples(st.booleans(), PATHS)), PATHS)
def test_a_tree_finds_what_a_search_finds(changes: list[tuple[bool, bytes]], path: bytes) -> None:
    tree: PrefixTree[bytes] = PrefixTree()
    known: dict[tuple[bytes, ...], bytes] = {}
    for added, prefix in changes:
        if added:
            tree.set(prefix, prefix)
            known[tuple(segments(prefix))] = prefix
        else:
            tree.remove(prefix)
            known.pop(tuple(segments(prefix)), None)
    way = segments(path)
    prefixes = (tuple(way[:count]) for count in range(len(way), -1, -1))
    best = next((known[prefix] for prefix in prefixes if prefix in known), None)
    assert tree.find(path) == best


def test_nothing_is_left_of_what_was_removed() -> None:
    tree: PrefixTree[int] = PrefixTree()
    tree.set(b"/a/b/c", 1)
    tree.set(b"/a", 2)
    tree.remove(b"/a/b/c")
    tree.remove(b"/a")
    assert not tree._root.following
    assert not tree._root.values


ROUTED = [
    (b"/a/b?c=/d", b"/a/b"),
    (b"/a%20b/%7Ec", b"/a b/~c"),
    (b"/user%2Fada", b"/user/ada"),
    (b"/a%zz", b"/a%zz"),
    (b"*", b"*"),
]


@pytest.mark.parametrize(("target", "path"), ROUTED)
def test_a_request_is_routed_by_its_decoded_path(target: bytes, path: bytes) -> None:
    assert routed_path(get(target=target), by_host=False) == path


def test_or_by_its_host_first() -> None:
    head = get(b"Host: Ada.Example.ORG:8443", target=b"/a%20b")
    assert routed_path(head, by_host=True) == b"/ada.example.org/a b"
    assert routed_path(get(target=b"/a"), by_host=True) == b"//a"


STRIPPED = [
    (b"/user/ada/tree?x", 2, b"/tree?x"),
    (b"/user/ada", 2, b"/"),
    (b"/user/ada?x", 2, b"/?x"),
    (b"/user/ada/", 2, b"/"),
    (b"//user/ada/x%2Fy", 2, b"/x%2Fy"),
    (b"/user%2fada/x", 2, b"/x"),
    (b"/x", 0, b"/x"),
]


@pytest.mark.parametrize(("target", "count", "rest"), STRIPPED)
def test_a_prefix_is_cut_by_its_segments(target: bytes, count: int, rest: bytes) -> None:
    assert without_prefix(target, count) == rest


JOINED = [
    (b"/x?y=1", b"/base", b"", 0, b"/base/x?y=1"),
    (b"/x", b"/base/", b"a=1", 0, b"/base/x?a=1"),
    (b"/x?y", b"/", b"a", 0, b"/x?a&y"),
    (b"/u/a/x", b"/base", b"", 2, b"/base/x"),
]


@pytest.mark.parametrize(("target", "base", "query", "cut", "joined"), JOINED)
def test_the_targets_own_path_comes_first(
    target: bytes, base: bytes, query: bytes, cut: int, joined: bytes
) -> None:
    assert at_target(target, base, query, cut) == joined
