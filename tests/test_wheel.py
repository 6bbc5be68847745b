"""The wheel: what ``pip install`` and the image get is the whole package, with its data files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parent.parent
BROUGHT = {
    f"proxy/service/files/{name}": name
    for name in ("labgate.service", "labgate.socket", "labgate.toml")
}
"""What `labgate install-service` writes."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    built = _run(ROOT, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    (wheel,) = folder.glob("labgate-*.whl")
    assert wheel.name in built
    with ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_it_has_every_file_of_the_package(installed: Path) -> None:
    assert _files(installed) == _files(ROOT) | set(BROUGHT)
    for inside, name in BROUGHT.items():
        assert (installed / inside).read_bytes() == (ROOT / "config" / name).read_bytes()
    assert {"proxy/web/templates/page.html", "proxy/tls/groups.cnf"} <= _files(installed)


def test_its_pages_are_those_of_this_checkout(installed: Path) -> None:
    program = (
        "import proxy.web.page as page; print(page.__file__, page.WAITING_PAGE, page.LOGOUT_PAGE)"
    )
    shown = [_run(folder, "-c", program).replace(str(folder), "") for folder in (installed, ROOT)]
    assert shown[0] == shown[1]


def _files(folder: Path) -> set[str]:
    """The files of the package below a folder, without what running it leaves there."""
    files = (file for file in (folder / "proxy").rglob("*") if file.is_file())
    return {str(file.relative_to(folder)) for file in files if file.parent.name != "__pycache__"}


def _run(folder: Path, *arguments: str) -> str:
    """Run Python in a folder, whose modules it finds first; returns what it printed."""
    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr
