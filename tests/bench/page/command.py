"""``make bench ARGS=page``: the command line, and the report."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import results
from tests.bench.machine import Watch, described
from tests.bench.page.figures import TARGETS
from tests.bench.page.peers import page_peers
from tests.bench.page.run import run
from tests.bench.report import find_peers, show

PAGE = "page"
SETTING = (
    "JupyterLab behind, one Chromium in front, which throttles its line itself: it adds the "
    "latency to each request, and nothing to a handshake. A cold load is that of somebody who is "
    "logged in and whose browser has nothing cached, until the launcher shows; the proxies had "
    "served one such load before, so that labgate's cache was filled. `nginx-tuned` has gzip for "
    "every type and HTTP/2, `caddy` zstd and gzip and HTTP/2, `labgate` its defaults (so "
    "HTTP/1.1), `labgate:http2` also `listen.http2`. The targets are about `labgate`. Times are "
    "the page's own (`performance.now()` in the frame in which the launcher or the first cell has "
    "a size; the click's `timeStamp`). Proxies, Jupyter and Chromium shared all cores."
)
REPORT = results.Report(
    results.FILE.with_name("PAGE.md"), "A page through labgate and others", SETTING, TARGETS
)
"""What was measured in other ways is in its part that is written by hand."""
REPETITIONS, QUICK_REPETITIONS = 5, 1


def page(console: Console, arguments: Sequence[str], options: argparse.Namespace) -> int:
    """Measure and show."""
    peers = find_peers(console, page_peers(), options.peers)
    for line in described():
        console.print(line)
    commit = results.commit()
    watch = Watch()
    repetitions = QUICK_REPETITIONS if options.quick else REPETITIONS
    pictures = Path(tempfile.gettempdir())
    samples = run(peers, repetitions, lambda said: console.print(f"{said} …"), pictures)
    console.print(f"what Chromium showed: {pictures}/labgate-page-*.png")
    return show(console, arguments, options, samples, peers, watch.quiet(), commit, REPORT)
