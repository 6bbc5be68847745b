"""A line for curl, read by a real shell."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from proxy.inspector.curl import missing_content, missing_from_curl, to_curl
from proxy.inspector.exchange import READ_IN, CapturedContent, CapturedHead

from .exchanges import exchange

HOSTILE = "'; touch /tmp/x; echo '$(id) `id` \"\\"


def words_of(line: str) -> list[str]:
    """What a shell makes of the line."""
    done = subprocess.run(
        ["/bin/sh", "-c", line.replace("curl", "printf '%s\\0'", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    return done.stdout.split("\0")[:-1]


def test_a_get() -> None:
    assert words_of(to_curl(exchange(target="/lab?x=1&y=[2]"))) == [
        *("-i", "-H", "Accept: */*", "--path-as-is", "--globoff", "--url"),
        "https://lab.example.org/lab?x=1&y=[2]",
    ]


def test_a_shell_sees_nothing_in_what_was_captured() -> None:
    head = CapturedHead("PUT /x HTTP/1.1", (("Host", "h"), ("X-A", HOSTILE), ("X-Empty", "")))
    content = CapturedContent(HOSTILE, len(HOSTILE), whole=True)
    words = words_of(to_curl(exchange("PUT", "/x", received=head, content_up=content)))
    assert words == [
        *("-i", "-X", "PUT", "-H", f"X-A: {HOSTILE}", "-H", "X-Empty;"),
        *("--data-raw", HOSTILE, "--path-as-is", "--globoff", "--url", "https://h/x"),
    ]


def test_curl_reads_no_file_that_an_archive_names() -> None:
    fields = (("Host", "h"), ("@fields", ""), ("X-A", "@value"))
    given = exchange(
        "POST",
        "/x",
        received=CapturedHead("POST /x HTTP/1.1", fields),
        content_up=CapturedContent("@file", 5, whole=True),
    )
    assert words_of(to_curl(given)) == [
        *("-i", "-X", "POST", "-H", "X-A: @value", "--data-raw", "@file"),
        *("--path-as-is", "--globoff", "--url", "https://h/x"),
    ]


@pytest.mark.parametrize(
    ("target", "scheme"), [("-Kfile", "https"), ("*", "https"), ("/etc/passwd", "file")]
)
def test_what_is_no_path_on_a_web_server_has_no_line(target: str, scheme: str) -> None:
    assert to_curl(exchange(target=target, scheme=scheme)) == ""


def test_head_and_content_that_is_not_whole() -> None:
    content = CapturedContent("beginning", 100, whole=False)
    line = to_curl(exchange("HEAD", "/x", content_up=content))
    assert "-I" in words_of(line)
    assert "beginning" not in line


REFUSED = CapturedHead("POST /x HTTP/1.1", (("Host", "h"), ("Content-Length", "117")))
SENT = {"sent_up": CapturedHead("POST /x HTTP/1.1", ())}
SECRET = CapturedHead("POST /x HTTP/1.1", (("Host", "h"), ("Cookie", "a=[redacted]")))


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, []),
        ({"received": SECRET}, ["put them in where it says [redacted]"]),
        (SENT | {"bytes_up": 7}, ["of 7 octets was not captured: put it in, or switch Content"]),
        ({"bytes_up": 7, "received": SECRET}, ["put them in where", "was not captured"]),
        ({"bytes_up": 7, "content_up": CapturedContent("1234567", 7, whole=True)}, []),
        ({"bytes_up": 7, "content_up": CapturedContent("12", 7, whole=False)}, ["only the begi"]),
        ({"bytes_up": 7, "content_up": CapturedContent("", 7, whole=True)}, ["it is no text"]),
        ({"bytes_up": 7, "websocket": True}, []),
        ({"received": REFUSED}, ["of 117 octets was not captured, because nothing of it was pas"]),
        ({"received": REFUSED, "open": True}, ["of 117 octets is shown when the exchange has end"]),
        (SENT | {"bytes_up": 7, "open": True}, ["if Content was on when it began"]),
        ({"bytes_up": 7, "outcome": READ_IN}, ["of 7 octets is not in the archive as text: put"]),
    ],
)
def test_what_the_line_lacks(known: dict[str, Any], words: list[str]) -> None:
    said = missing_from_curl(exchange("POST", "/x", **known))
    assert all(part in said for part in words), said
    assert bool(said) is bool(words)


@pytest.mark.parametrize(
    "known",
    [
        {"received": REFUSED},
        {"received": REFUSED, "open": True},
        {"bytes_up": 7, "outcome": READ_IN},
    ],
)
def test_content_is_switched_on_only_where_that_helps(known: dict[str, Any]) -> None:
    """What was refused is never read, and an upload's content comes at its end."""
    assert "switch Content on" not in missing_content(exchange("POST", "/x", **known))
