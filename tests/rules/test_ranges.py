"""What was sent by labgate is not continued by Jupyter; test_request.py has it in heads."""

from __future__ import annotations

import pytest

from proxy.rules.ranges import continues_own, own_etag
from tests.heads import get


def test_a_tag_is_of_the_octets_and_their_coding() -> None:
    tags = {own_etag(content, coding) for content in (b"a", b"b") for coding in (b"", b"br")}
    assert len(tags) == 4
    assert all(tag.startswith(b'"labgate-') and tag.endswith(b'"') for tag in tags)
    assert own_etag(b"a", b"br") in tags, "the same octets have the same one"


@pytest.mark.parametrize("coding", [b"", b"br", b"gzip"])
def test_what_labgate_has_begun_is_its_own(coding: bytes) -> None:
    tag = own_etag(b"content", coding)
    assert continues_own(get(b"Range: bytes=9-", b"If-Range: " + tag))


OTHERS = [
    pytest.param((), False, id="no condition"),
    pytest.param((b'If-Range: "a"',), False, id="Jupyter's"),
    pytest.param((b'If-Range: "x", "labgate-0"',), False, id="a list, which there is none of"),
    pytest.param((b'If-Range: "a"', b'If-Range: "labgate-0"'), True, id="one of two"),
    pytest.param((b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT",), False, id="a date"),
    pytest.param((b'If-Range: W/"a"',), True, id="a weak one"),
    pytest.param((b'If-None-Match: "labgate-0"',), False, id="another condition"),
]


@pytest.mark.parametrize(("lines", "own"), OTHERS)
def test_whose_beginning_it_is(lines: tuple[bytes, ...], own: bool) -> None:
    assert continues_own(get(b"Range: bytes=9-", *lines)) is own
