"""What outlives a restart: failures and the CA's renewal window."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from proxy.certs.acme.renewal_state import RenewalState, load_state, save_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "renewal.json"
    state = RenewalState(0.25, challenge="http-01").after_failure("why", NOW, NOW)
    save_state(file, state)
    assert load_state(file) == state
    assert (state.failures, state.failed_attempts.last, state.not_before) == (1, NOW, NOW)
    assert state.after_success("", "ca").challenge == "http-01"
    assert state.after_success("tls-alpn-01", "ca").failures == 0
    for damaged in ("", "[]", "{}", '{"random": 1, "x": 2}'):
        file.write_text(damaged)
        assert load_state(file).failures == 0
