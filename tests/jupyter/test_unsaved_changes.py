from __future__ import annotations

import pytest

from proxy.jupyter.unsaved_changes import describe_unsaved

KEPT = ("/home/jovyan", "/data")


def changed(*paths: str, kind: int = 1) -> list[dict[str, object]]:
    """As the engine tells: every folder above is changed too."""
    above = {"/".join(path.split("/")[:n]) for path in paths for n in range(2, path.count("/") + 1)}
    return [{"Path": path, "Kind": 0} for path in sorted(above)] + [
        {"Path": path, "Kind": kind} for path in paths
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], ""),
        (changed("/home/jovyan/book.ipynb", "/data/x.csv"), ""),
        (changed("/tmp/x", "/run/y", "/var/cache/apt/z", "/var/log/dpkg.log"), ""),
        (changed("/opt/conda/lib/python3.12/__pycache__/os.cpython-312.pyc"), ""),
        (changed("/srv/gone", kind=2), ""),
        (changed("/etc/passwd", "/etc/passwd-", "/etc/sudoers.d/added-by-start-script"), ""),
        (
            changed("/opt/conda/lib/python3.12/site-packages/polars/a.py"),
            "packages installed with conda or pip (/opt/conda)",
        ),
        (
            changed("/var/lib/dpkg/status", "/usr/bin/vim", "/etc/vim/vimrc", "/lib/x.so"),
            "packages installed with apt",
        ),
        (
            changed("/var/lib/dpkg/status", "/usr/bin/vim", "/usr/local/bin/mine"),
            "packages installed with apt, files in /usr/local",
        ),
        (changed("/usr/bin/mine"), "files in /usr/bin"),
        (changed("/x"), "files in /"),
        (changed("/home/jovyans/x"), "files in /home/jovyans"),
        (changed("/srv/a/b/c/d", "/srv/a/e", "/srv/f"), "files in /srv, /srv/a"),
        (
            changed(*(f"/srv/{letter}/x" for letter in "abcdefgh")),
            "files in /srv/a, /srv/b, /srv/c, /srv/d, /srv/e and 3 more folders",
        ),
    ],
)
def test_what_is_lost(changes: list[dict[str, object]], expected: str) -> None:
    assert describe_unsaved(changes, KEPT) == expected
