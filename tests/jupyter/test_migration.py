from __future__ import annotations

import io

from rich.console import Console

from proxy.jupyter.migration import CopiedFolder, show_progress
from proxy.jupyter.mounts import ContainerMount, FolderCopy


def test_the_progress_of_a_copy_is_logged_every_few_seconds() -> None:
    times = iter([0.0, 1.0, 4.9, 5.0, 6.0, 10.0])
    log = io.StringIO()
    with show_progress(Console(file=log), "copying /home/jovyan", lambda: next(times)) as seen:
        for _ in range(5):
            seen(1_000_000)
    assert log.getvalue() == ("copying /home/jovyan: 3.0 MB\ncopying /home/jovyan: 5.0 MB\n")


def test_at_a_terminal_one_line_grows() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    times = iter([0.0, 1.0])
    with show_progress(console, "copying /home/jovyan", lambda: next(times)) as seen:
        seen(3_000_000)
    assert "copying /home/jovyan" in screen.getvalue()
    assert "3.0" in screen.getvalue()


def test_the_report_of_a_copy_says_what_stays() -> None:
    old, new = (
        ContainerMount("volume", "lab-home", "/home/jovyan"),
        ContainerMount("bind", "/srv/ada", "/home/jovyan"),
    )
    work = FolderCopy("/home/jovyan", old, new, "/home/jovyan")
    assert str(CopiedFolder(work, "/home/jovyan", "abc")) == (
        "/home/jovyan copied to folder /srv/ada and checked, there as /home/jovyan in the new "
        "container; volume lab-home stays as it was"
    )
