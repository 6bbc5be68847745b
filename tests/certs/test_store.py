"""Several certificates in service, each exchanged by its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from proxy.errors import StartError
from tests.certificates import pair
from tests.certs.stores import NAME, TODAY, served, source, started, temporary, warnings_of


def test_several_pairs_each_by_its_own(tmp_path: Path) -> None:
    hosts = ("a.example", "b.example", "x.wild.example")
    folders = [tmp_path / name for name in ("a", "b", "c")]
    names = ("a.example", "b.example", "*.wild.example")
    for folder, name in zip(folders, names, strict=True):
        pair(folder, name)
    store = started(*map(source, folders), hosts=hosts)
    before = [served(store, host) for host in hosts]
    assert len(set(before)) == 3
    assert served(store, "unknown.example") == before[0]
    (folders[0] / "privkey.pem").write_text("broken")
    pair(folders[2], names[2])
    assert store.reload()
    after = [served(store, host) for host in hosts]
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_a_name_may_move_to_another_pair(tmp_path: Path) -> None:
    pair(tmp_path / "a", "a.example", "b.example")
    pair(tmp_path / "b", "b.example")
    store = started(
        source(tmp_path / "a"), source(tmp_path / "b"), hosts=("a.example", "b.example")
    )
    pair(tmp_path / "a", "a.example")
    assert store.reload()


def test_what_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no certificate at"):
        started(source(tmp_path))
    pair(tmp_path, "www.example.org")
    with pytest.raises(StartError, match=f"No certificate is for {NAME}"):
        started(source(tmp_path))


def test_an_optional_pair_may_come_and_stays(tmp_path: Path) -> None:
    pair(tmp_path / "a", "a.example", "b.example")
    sources = [source(tmp_path / "a"), source(tmp_path / "b", optional=True)]
    store = started(*sources, hosts=("a.example", "b.example"))
    assert served(store, "b.example") == served(store, "a.example")
    assert not store.reload()
    pair(tmp_path / "b", "b.example")
    assert store.reload()
    # The first pair is for that name as well, and the first counts.
    assert served(store, "b.example") == served(store, "a.example")
    pair(tmp_path / "a", "a.example")
    assert store.reload()
    assert served(store, "b.example") != served(store, "a.example")


class TestDeferred:
    def test_a_temporary_one_serves_until_it_comes(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = started(source(tmp_path, deferred=True), hosts=(NAME, "127.0.0.1"))
        assert temporary(store) == [NAME]
        assert served(store)[0] == "O=labgate temporary"
        assert not store.reload()
        assert not store.reload()
        assert not store.reload(TODAY + timedelta(days=360))
        assert warnings_of(caplog) == []
        pair(tmp_path, NAME)
        assert store.reload()
        assert temporary(store) == []
        assert served(store)[0] != "O=labgate temporary"
        assert store.managed[0].name == NAME

    def test_an_unusable_pair_is_logged(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Only here may labgate start all the same: it may be what is needed to renew."""
        pair(tmp_path, NAME, days=-1)
        store = started(source(tmp_path, deferred=True))
        assert served(store)[0] == "O=labgate temporary"
        (warning,) = warnings_of(caplog)
        assert "expired on" in warning
        store.reload()
        store.reload()
        assert warnings_of(caplog) == []
        assert "expired on" in store.managed[0].fault

    def test_it_may_not_be_for_every_name(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = started(source(tmp_path, deferred=True), hosts=(NAME, "b.example"))
        pair(tmp_path, NAME)
        assert store.reload()
        (warning,) = warnings_of(caplog)
        assert "No certificate is for b.example" in warning
        assert not store.reload()
        assert warnings_of(caplog) == []

    def test_a_real_one_for_the_same_name_goes_first(self, tmp_path: Path) -> None:
        pair(tmp_path / "b", "b.example")
        sources = [source(tmp_path / "a", deferred=True), source(tmp_path / "b")]
        store = started(*sources, hosts=("a.example", "b.example"))
        assert served(store, "a.example")[0] == "O=labgate temporary"
        assert served(store, "b.example")[0] != "O=labgate temporary"
