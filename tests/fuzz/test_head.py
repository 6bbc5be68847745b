"""The fuzz target on the corpus, on what hypothesis finds, and under atheris."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import require
from tests.fuzz.head import check
from tests.wire.corpus import load

RUNS = 30_000
SECONDS = 300
"""A bound, not the length of the run: that is RUNS."""

SEEDS = [case.raw for case in load("requests") if len(case.raw) < 4096]
WORDS = [
    *(b"GET", b"OPTIONS", b"CONNECT", b" ", b"/", b"*", b"HTTP/1.1", b"\r\n", b"\r", b"\n", b":"),
    *(b"Host: lab.example.org\r\n", b"Origin: https://lab.example.org\r\n", b"Upgrade: websocket"),
    *(b"Connection: ", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 1\r\n", b"\t", b"\0"),
    *(b"http://lab.example.org/", b"Max-Forwards: 1\r\n", b"X-Forwarded-For: a\r\n", b"\xff"),
]


@pytest.mark.parametrize("seed", SEEDS, ids=range(len(SEEDS)))
def test_the_corpus(seed: bytes) -> None:
    check(seed)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map(b"".join))
@example(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
def test_words_in_any_order(data: bytes) -> None:
    check(data)
    check(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n" + data + b"\r\n\r\n")


PLAIN = b"PUT /a?b HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: 2\r\nX-A: b\r\n\r\n"
CHUNKED = PLAIN.replace(b"Content-Length: 2", b"Transfer-Encoding: chunked")
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: lab.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Origin: https://lab.example.org\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a\r\n\r\n"
)
OCTETS = [bytes([octet]) for octet in (*b'\r\n\t :,;_0"\\', 0, 0x0B, 0x0C, 0x7F, 0x80, 0xFF)]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good head with a few places of it replaced."""
    head = draw(st.sampled_from([PLAIN, CHUNKED, UPGRADE]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(head)))
        until = at + draw(st.integers(0, 3))
        head = head[:at] + draw(st.sampled_from([b"", *OCTETS, *WORDS])) + head[until:]
    return head


@settings(max_examples=500, deadline=None)
@given(mutated())
def test_mutated_heads(head: bytes) -> None:
    check(head)


def test_a_fixed_number_of_inputs_under_atheris(tmp_path: Path) -> None:
    require(
        importlib.util.find_spec("atheris"), "no atheris", "pip install atheris (Linux, x86-64)"
    )
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS):
        (corpus / str(number)).write_bytes(seed)
    words = tmp_path / "words"
    escaped = ("".join(f"\\x{octet:02x}" for octet in word) for word in WORDS)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    options = [
        f"-runs={RUNS}",
        "-seed=1",
        "-max_len=4096",
        f"-dict={words}",
        "-print_final_stats=1",
    ]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.fuzz", *options, str(corpus)],
        check=False,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    done = re.search(r"number_of_executed_units: (\d+)", run.stderr)
    assert done is not None
    assert int(done[1]) >= RUNS
