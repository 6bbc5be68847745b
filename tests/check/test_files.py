from __future__ import annotations

import os
from pathlib import Path

import pytest

from proxy.check.files import check_files
from proxy.check.verdict import Level, Verdict
from proxy.config.settings import Settings

NOBODY = 65534


def checked(**sections: object) -> dict[str, Verdict]:
    settings = Settings.model_validate(sections)
    return {verdict.subject: verdict for verdict in check_files(settings)}


def test_a_state_folder_is_not_made_by_a_check(tmp_path: Path) -> None:
    folder = tmp_path / "below" / "state"
    verdict = checked(state={"folder": folder})["State"]
    assert verdict == Verdict("State", f"{folder}, which labgate makes at start")
    assert list(tmp_path.iterdir()) == []


def test_one_that_everybody_can_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    verdict = checked(state={"folder": tmp_path})["State"]
    assert verdict.level is Level.FAULT
    assert f"chmod o-w {tmp_path}" in verdict.text


def test_a_file_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    verdict = checked(state={"folder": tmp_path / "state"})["State"]
    assert verdict.level is Level.FAULT
    assert f"{tmp_path / 'state'} is no folder" in verdict.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: run it as another user")
def test_one_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    verdict = checked(state={"folder": tmp_path / "state"})["State"]
    assert verdict.level is Level.FAULT
    assert f"{tmp_path} cannot be written by this user" in verdict.text


def test_one_below_a_folder_that_this_user_may_not_enter(tmp_path: Path) -> None:
    barred = tmp_path / "barred"
    (barred / "below").mkdir(parents=True)
    barred.chmod(0o000)
    user = os.geteuid()
    if user == 0:
        barred = _first_private(tmp_path)
        os.seteuid(NOBODY)
    try:
        verdict = checked(state={"folder": tmp_path / "barred/below/state"})["State"]
    finally:
        os.seteuid(user)
        (tmp_path / "barred").chmod(0o700)
    assert verdict.level is Level.FAULT
    assert f"is below {barred}, which this user may not enter" in verdict.text


def _first_private(folder: Path) -> Path:
    """The outermost of its folders that only root may enter."""
    return next(one for one in reversed(folder.parents) if not one.stat().st_mode & 0o001)


def test_a_htpasswd_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    verdict = checked(access={"htpasswd": file})["Passwords"]
    assert verdict.level is Level.FAULT
    file.write_text("ada:plain\n")
    assert checked(access={"htpasswd": file})["Passwords"].level is Level.FAULT
    file.write_text("ada:$2y$05$abcdefghijklmnopqrstuuK6H0hC9nkCuT6O6xBIb7xQ1G4cQeZ5i\n")
    assert checked(access={"htpasswd": file})["Passwords"].level is Level.GOOD


def test_a_htpasswd_file_that_systemd_provides() -> None:
    """Of a service that does not run: its credentials are there while it does."""
    file = Path("/run/credentials/labgate-stopped.service/htpasswd")
    verdict = checked(access={"htpasswd": file})["Passwords"]
    assert verdict.level is Level.REMARK
    assert verdict.text == (
        f"{file} is there once systemd has started labgate-stopped.service, which then needs a "
        "line LoadCredential=htpasswd:…; `labgate check` reads it while the service runs."
    )


def test_a_webroot_may_come_later(tmp_path: Path) -> None:
    verdicts = checked(acme={"webroot": tmp_path / "later"})
    assert verdicts["Webroot"].level is Level.REMARK
    assert "Webroot" not in checked(acme={"webroot": tmp_path})
