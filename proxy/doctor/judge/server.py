"""Which proxy answers, as its own answers show, and whether it has had enough of them.

Tested by tests/doctor/test_judge_entry.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from proxy.doctor.answer import Answer
from proxy.doctor.finding import Finding

_BY_FIELD = (
    ("Via", "labgate", "labgate"),
    ("Via", "caddy", "caddy"),
    ("Server", "labgate", "labgate"),
    ("Server", "nginx", "nginx"),
    ("Server", "openresty", "nginx"),
    ("Server", "caddy", "caddy"),
    ("Server", "apache", "apache"),
    ("Server", "traefik", "traefik"),
    ("Server", "haproxy", "haproxy"),
)

_BY_PAGE = (
    (b"<center>nginx", "nginx"),
    (b"Your browser sent an invalid request.", "haproxy"),
    (b"Apache/2", "apache"),
)
"""Words of the pages that a proxy makes by itself; HAProxy names itself nowhere else."""

_GO_TEXT = b"400 Bad Request"
"""How Go's ``net/http`` begins its answer to a malformed request. Traefik is built with it and
names itself nowhere, but so are others; Caddy is, too, but says its name in fields."""


class Recognised(NamedTuple):
    """The proxy that answers.

    Attributes:
        server: As ``mend`` names it; empty if no answer tells.
        perhaps: Whether it may be another one.
    """

    server: str = ""
    perhaps: bool = False


def recognise(answers: Iterable[Answer]) -> Recognised:
    """The proxy, as its own answers show it."""
    known = list(answers)
    for name, word, server in _BY_FIELD:
        if any(word in value.lower() for answer in known for value in answer.values(name)):
            return Recognised(server)
    for words, server in _BY_PAGE:
        if any(words in answer.body for answer in known if answer.status >= 400):
            return Recognised(server)
    if any(answer.status == 400 and answer.body.startswith(_GO_TEXT) for answer in known):
        return Recognised("traefik", perhaps=True)
    return Recognised()


def rate_limited(answers: Iterable[Answer]) -> Finding | None:
    """Any request may be one too many; what else its answer seems to mean is not so."""
    for answer in answers:
        if answer.status == 429:
            return Finding("rate-limited", "the number of requests", answer.sent, answer.received)
    return None
