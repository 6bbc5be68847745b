"""What was sent by labgate is not continued by Jupyter; test_request.py has it in heads.

tests/cache/test_if_range.py has it with real files.
"""

from __future__ import annotations

import pytest

from proxy.rules.compression import compressible_folders
from proxy.rules.ranges import may_be_continued, own_etag
from tests.heads import get

DATE = b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT"
COMPRESSIBLE = compressible_folders("/")


def test_a_tag_is_of_the_octets_and_their_coding() -> None:
    tags = {own_etag(content, coding) for content in (b"a", b"b") for coding in (b"", b"br")}
    assert len(tags) == 4
    assert all(tag.startswith(b'"labgate-') and tag.endswith(b'"') for tag in tags)
    # Clients keep them longer than labgate runs.
    assert own_etag(b"a", b"") == b'"labgate-ca978112ca1bbdcafac231b39a23dc4d"'
    assert own_etag(b"a", b"br") == b'"labgate-ca978112ca1bbdcafac231b39a23dc4d-br"'


@pytest.mark.parametrize("coding", [b"", b"br", b"gzip"])
def test_what_labgate_has_begun_is_its_own(coding: bytes) -> None:
    tag = own_etag(b"content", coding)
    request = get(b"Range: bytes=9-", b"If-Range: " + tag)
    assert not may_be_continued(request, COMPRESSIBLE)


CONDITIONS = [
    pytest.param((), True, id="none"),
    pytest.param((b'If-Range: "a"',), True, id="Jupyter's tag"),
    pytest.param((b'If-Range: "x", "labgate-0"',), False, id="a list, which there is none of"),
    pytest.param((b'If-Range: "a"', b'If-Range: "labgate-0"'), False, id="two"),
    pytest.param((b'If-Range: "a"', b'If-Range: "b"'), False, id="two of Jupyter's"),
    pytest.param((b'If-Range: W/"a"',), False, id="a weak tag"),
    pytest.param((b'If-Range: W/"labgate-0"',), False, id="a weak tag of labgate"),
    pytest.param((b'If-None-Match: "labgate-0"',), True, id="another condition"),
    pytest.param((DATE,), True, id="a date"),
]


@pytest.mark.parametrize(("lines", "expected"), CONDITIONS)
def test_which_conditions_leave_it_to_jupyter(lines: tuple[bytes, ...], expected: bool) -> None:
    request = get(b"Range: bytes=9-", *lines, target=b"/files/model.bin")
    assert may_be_continued(request, COMPRESSIBLE) is expected


DATED = [
    pytest.param(b"/static/lab/main.0123456789abcdef.js", COMPRESSIBLE, False, id="a script"),
    pytest.param(b"/static/logo.png", COMPRESSIBLE, False, id="beside it"),
    pytest.param(b"/api/contents/a.ipynb", COMPRESSIBLE, False, id="a notebook"),
    pytest.param(b"/files/a.ipynb", COMPRESSIBLE, True, id="a download"),
    pytest.param(b"/proxy/8000/static/a.js", COMPRESSIBLE, True, id="of another application"),
    pytest.param(b"/static/lab/main.js", (), True, id="nothing is compressed"),
    pytest.param(b"/static/lab/main.js", compressible_folders("/u/"), True, id="elsewhere"),
    pytest.param(b"/u/static/a.js", compressible_folders("/u/"), False, id="below the base path"),
]


@pytest.mark.parametrize(("target", "compressible", "expected"), DATED)
def test_a_date_matches_only_what_labgate_never_compresses(
    target: bytes, compressible: tuple[bytes, ...], expected: bool
) -> None:
    """The content as it is and compressed have the same one."""
    request = get(b"Range: bytes=9-", DATE, target=target)
    assert may_be_continued(request, compressible) is expected


def test_a_quote_behind_the_first_three_octets_makes_no_tag_of_a_date() -> None:
    """RFC 9110 section 13.1.5."""
    for condition, expected in ((b'Sun"', False), (b'Su"', True)):
        request = get(b"Range: bytes=9-", b"If-Range: " + condition, target=b"/static/logo.png")
        assert may_be_continued(request, COMPRESSIBLE) is expected
