"""A line for curl, read by a real shell."""

from __future__ import annotations

import subprocess

from proxy.inspector.curl import to_curl
from proxy.inspector.exchange import CapturedContent, CapturedHead

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
        *("-i", "-H", "Accept: */*", "--path-as-is", "--globoff"),
        "https://lab.example.org/lab?x=1&y=[2]",
    ]


def test_a_shell_sees_nothing_in_what_was_captured() -> None:
    head = CapturedHead("PUT /x HTTP/1.1", (("Host", "h"), ("X-A", HOSTILE), ("X-Empty", "")))
    content = CapturedContent(HOSTILE, len(HOSTILE), whole=True)
    words = words_of(to_curl(exchange("PUT", "/x", received=head, content_up=content)))
    assert words == [
        *("-i", "-X", "PUT", "-H", f"X-A: {HOSTILE}", "-H", "X-Empty;"),
        *("--data-binary", HOSTILE, "--path-as-is", "--globoff", "https://h/x"),
    ]


def test_head_and_content_that_is_not_whole() -> None:
    content = CapturedContent("beginning", 100, whole=False)
    line = to_curl(exchange("HEAD", "/x", content_up=content))
    assert "-I" in words_of(line)
    assert "beginning" not in line
