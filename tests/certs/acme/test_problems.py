"""What a CA's errors become: one sentence that says what to do."""

from __future__ import annotations

import errno
from datetime import timedelta
from pathlib import Path

import pytest
from acme.messages import ERROR_CODES

from proxy.certs.acme.problems import (
    SENTENCES,
    Problem,
    explain_files,
    explain_no_directory,
    explain_problem,
    explain_skew,
    explain_unreachable,
    explain_untrusted,
    merge_problems,
    other_challenge_may_help,
    sanitized,
)

NAME = "lab.example.org"


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (
            Problem("dns", "DNS problem: NXDOMAIN looking up A", NAME, "http-01"),
            ("NXDOMAIN", NAME, "Add an A record"),
        ),
        (
            Problem("connection", "192.0.2.7: Timeout during connect", NAME, "http-01"),
            ("192.0.2.7", "port 80", "A and AAAA records", "forwarded"),
        ),
        (Problem("connection", "refused", NAME, "tls-alpn-01"), ("port 443",)),
        (Problem("caa", "CAA record forbids", NAME, "http-01"), ('CAA 0 issue "ca.example"',)),
        (
            Problem("unauthorized", "192.0.2.7: Invalid response: 404", NAME, "http-01"),
            ("was not this labgate", "404", "no other server answers on port 80"),
        ),
        (Problem("unauthorized", "account is deactivated"), ("deactivated", "remove /state/acme")),
        (Problem("rateLimited", "too many certificates"), ("as long as the CA asks", "staging")),
        (Problem("rejectedIdentifier", "policy", NAME), ("does not issue", "--cert")),
        (Problem("externalAccountRequired", ""), ("acme.eab_kid", "acme.eab_hmac_key")),
        (Problem("serverInternal", "boom"), ("Nothing is wrong here",)),
        (Problem("malformed", "JWS"), ("https://ca.example/dir", "acme.directory")),
        (Problem("invalidContact", "no MX"), ("acme.email",)),
        (Problem("tls", "alert", NAME, "tls-alpn-01"), ("TLS handshake", "port 443")),
        (Problem("somethingNew", "detail"), ("somethingNew", "detail", "documentation")),
        (Problem("badCSR", "weak key"), (NAME, "site.domains")),
    ],
)
def test_sentences(problem: Problem, said: tuple[str, ...]) -> None:
    sentence = explain_problem(
        problem,
        names=(NAME,),
        directory="https://ca.example/dir",
        account=Path("/state/acme"),
        caa="ca.example",
    )
    assert sentence.endswith(".")
    assert "{" not in sentence
    for part in said:
        assert part in sentence


def test_every_type_has_a_sentence() -> None:
    """All that certbot's library knows, except those about revocation and collections."""
    none_of_ours = {"alreadyRevoked", "badRevocationReason", "compound"}
    assert set(ERROR_CODES) - none_of_ours <= set(SENTENCES)
    for code in SENTENCES:
        sentence = explain_problem(
            Problem(code, "detail", NAME, "http-01"), directory="d", account="a"
        )
        assert "detail" in sentence, code
        assert len(sentence) < 400, code


@pytest.mark.parametrize(
    ("code", "worth_trying"),
    [
        ("connection", True),
        ("unauthorized", True),
        ("incorrectResponse", True),
        ("tls", True),
        ("malformed", True),
        ("dns", False),
        ("caa", False),
        ("rateLimited", False),
        ("rejectedIdentifier", False),
    ],
)
def test_when_another_challenge_may_help(code: str, worth_trying: bool) -> None:
    assert other_challenge_may_help(Problem(code)) is worth_trying


def test_the_cas_text_cannot_control_a_terminal() -> None:
    assert sanitized("a\x1b[2J\r\nb\x9b.") == "a [2J b"
    assert len(sanitized("x" * 5000)) == 300


def test_a_problem_of_several_names_is_reported_once() -> None:
    first = Problem("connection", "refused", "a.example", "http-01")
    second = Problem("connection", "refused too", "b.example", "http-01")
    third = Problem("connection", "refused", "a.example", "tls-alpn-01")
    assert merge_problems([first, third, second, first]) == [
        Problem("connection", "refused", "a.example, b.example", "http-01"),
        third,
    ]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "Make room"),
        (errno.EACCES, "can write"),
        (errno.EROFS, "can write"),
        (errno.ENOTDIR, "state.folder"),
    ],
)
def test_files(number: int, said: str) -> None:
    import os  # noqa: PLC0415

    error = OSError(number, os.strerror(number), "/state/x")
    sentence = explain_files(Path("/state"), error)
    assert said in sentence
    assert "/state/x" in sentence
    assert os.strerror(number) in sentence


def test_the_ca_itself() -> None:
    url = "https://ca.example/dir"
    assert "may open connections" in explain_unreachable(url, "Connection refused")
    assert "acme.ca_file" in explain_untrusted(url, "self-signed certificate", None)
    assert "/ca.pem" in explain_untrusted(url, "self-signed certificate", Path("/ca.pem"))
    assert "clock" in explain_untrusted(url, "certificate is not yet valid", None)
    assert "leave it out" in explain_no_directory(url, "HTTP 404")


@pytest.mark.parametrize(
    ("skew", "said"),
    [
        (timedelta(minutes=4), ""),
        (timedelta(minutes=-4), ""),
        (timedelta(minutes=90), "90 minutes late"),
        (timedelta(minutes=-90), "90 minutes ahead"),
        (timedelta(days=400), "400 days late"),
    ],
)
def test_clocks(skew: timedelta, said: str) -> None:
    sentence = explain_skew(skew)
    assert said in sentence
    assert bool(said) == bool(sentence)
