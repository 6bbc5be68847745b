"""What labgate gets wrong today: strict xfail, so that a mended case must leave this list.

A key is a test's id, with ``-whole`` or ``-bytes`` when only one segmentation fails. Each
reason says what happens, then what should.
"""

from __future__ import annotations

_REASONS: dict[str, tuple[str, ...]] = {
    "33: chunk extensions have no bound; 400": ("33 one too long", "33 many too long"),
    "34: trailers together have no bound (128 of 64 KiB); 431": ("34 together too long",),
    "39: a reset by Jupyter behind its early answer takes the answer away (503); the answer": (
        "test_39_an_early_answer_survives_the_upload[hangs up]",
    ),
    "5: HTTP/3.0 and the preface of HTTP/2 are a 400; 505": (
        "05 3.0",
        "05 the preface of HTTP 2",
    ),
    "5: HTTP/0.9 is answered 421; 400": ("05 0.9 without a version",),
    "5: HTTP/1.2 is a 400; it is processed as 1.1 (SHOULD)": ("05 1.2 is processed as 1.1",),
    "6: llhttp repairs spaces in the request line, what goes up is canonical; 400": (
        "06 two spaces after the method",
        "06 two spaces before the version",
        "06 a space before the method",
    ),
    "6: a method llhttp does not know is a 400; 501": (
        "06 a method nobody knows",
        "06 a method in lower case",
    ),
    "2: LF before the request line is ignored; 400": ("02 before the request line",),
    "43: a request in the same segment as a faulty one behind it is not processed and the 400 "
    "takes its place; answered first": ("test_43_what_follows_a_faulty_request_is_not_read",),
}

KNOWN_FAILURES: dict[str, str] = {key: reason for reason, keys in _REASONS.items() for key in keys}

RACES = frozenset({"test_39_an_early_answer_survives_the_upload[hangs up]"})
"""Fail only sometimes, so not strictly."""
