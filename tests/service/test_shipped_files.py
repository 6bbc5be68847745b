from __future__ import annotations

from proxy.service.shipped_files import IN_CLONE, shipped_file


def test_a_clone_has_them_in_config() -> None:
    assert IN_CLONE.name == "config"
    assert shipped_file("labgate.service") == (IN_CLONE / "labgate.service").read_text("utf-8")
