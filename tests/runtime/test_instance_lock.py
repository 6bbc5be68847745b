"""Claims: one process has them, and nothing has to be cleaned up."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.runtime.instance_lock import (
    ABSTRACT,
    Claim,
    acquire,
    container_claim,
    folder_claim,
    name_owner,
)

SINCE = r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def of_a_folder(folder: Path) -> Claim:
    return folder_claim(folder)


def of_a_container(folder: Path) -> Claim:
    return container_claim(str(folder), "jupyter")


def of_a_container_elsewhere(folder: Path) -> Claim:
    """As on a system without abstract sockets."""
    return container_claim(str(folder), "jupyter", abstract=False)


CLAIMS = [
    of_a_folder,
    pytest.param(of_a_container, marks=pytest.mark.skipif(not ABSTRACT, reason="needs Linux")),
    of_a_container_elsewhere,
]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("claim", CLAIMS)
def test_one_has_it_until_it_is_given_up(claim: Callable[[Path], Claim], tmp_path: Path) -> None:
    with closing(acquire(claim(tmp_path))):
        with pytest.raises(StartError) as caught:
            acquire(claim(tmp_path))
        with closing(acquire(claim(tmp_path / "another"))):
            pass
    assert re.match(
        rf"Already running as process {os.getpid()}( of \w+)?, {SINCE}, with the (state|container)",
        str(caught.value),
    )
    assert caught.value.exit_code == 1
    with closing(acquire(claim(tmp_path))):
        pass


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_program_that_was_started_does_not_keep_it(
    claim: Callable[[Path], Claim], tmp_path: Path
) -> None:
    """Jupyter and its kernels may outlive a labgate that was killed."""
    with closing(acquire(claim(tmp_path))):
        pipe = subprocess.PIPE
        child = subprocess.Popen(["/bin/cat"], stdin=pipe, stdout=pipe, bufsize=0, close_fds=False)
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"x")
        assert child.stdout.read(1) == b"x", "it is cat by now, not a copy of this process"
    with closing(acquire(claim(tmp_path))):
        child.communicate()


def test_who_has_it_may_have_had_no_time_to_say_so(tmp_path: Path) -> None:
    with closing(acquire(folder_claim(tmp_path))):
        (tmp_path / "up.lock").write_text("")
        with pytest.raises(StartError, match="Already running as another process, with the state"):
            acquire(folder_claim(tmp_path))


def test_what_an_earlier_one_wrote_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "up.lock").write_text("x" * 1000)
    with closing(acquire(folder_claim(tmp_path))):
        assert (tmp_path / "up.lock").read_text().startswith(f'{{"pid": {os.getpid()}, "since": ')


@pytest.mark.skipif(not ABSTRACT, reason="needs Linux")
def test_many_refusals_hold_nobody_up() -> None:
    """Nobody accepts what connects to the socket, so its queue gets full."""
    claim = container_claim(secrets.token_hex(8), "jupyter")
    with closing(acquire(claim)):
        for _ in range(200):
            with pytest.raises(StartError, match="Already running as "):
                acquire(claim)


@pytest.mark.parametrize("kind", ["folder", "container"])
def test_a_shared_claim_never_lapses(kind: str, tmp_path: Path) -> None:
    """The successor holds it before the predecessor has let go, and is named from then on."""
    claim = folder_claim(tmp_path)
    if kind == "container":
        claim = container_claim("unix:///here", f"{tmp_path}")
    first = acquire(claim)
    shared = acquire(claim, {str(claim.place): os.dup(first.fileno())})
    name_owner(shared)
    first.close()
    with pytest.raises(StartError, match=f"process {os.getpid()}"):
        acquire(claim)
    shared.close()
    acquire(claim).close()
