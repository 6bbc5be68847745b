"""Proofs for the CA: published, answered in handshakes, removed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from proxy.certs.acme import solvers
from proxy.certs.acme.solvers import (
    ChallengeSolver,
    TlsAlpnResponder,
    challenge_folder,
    server_name,
)

NAME = "lab.example.org"


def test_proofs_are_published_and_removed(tmp_path: Path) -> None:
    given: dict[str, bool] = {}
    answers = TlsAlpnResponder(
        tmp_path, lambda name, context: given.update({name: context is not None})
    )
    answers.scan()
    proofs = ChallengeSolver(tmp_path)
    proofs.present_http("token_-1", "token_-1.thumb")
    proofs.present_tls_alpn(NAME, "token.thumb")
    proofs.present_tls_alpn("192.0.2.7", "token.thumb")
    assert (challenge_folder(tmp_path) / "token_-1").read_text() == "token_-1.thumb"
    answers.scan()
    address = server_name("192.0.2.7")
    assert address == "7.2.0.192.in-addr.arpa"
    assert given == {NAME: True, address: True}
    proofs.clean_up()
    answers.scan()
    assert given == {NAME: False, address: False}
    assert not list(challenge_folder(tmp_path).iterdir())


def test_a_token_cannot_leave_the_folder(tmp_path: Path) -> None:
    for token in ("../x", "a/b", "", "a.b", "."):
        with pytest.raises(ValueError, match="is not a token"):
            ChallengeSolver(tmp_path).present_http(token, "x")


async def test_a_damaged_proof_is_only_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said once, and what is whole is found beside it and after it."""
    monkeypatch.setattr(solvers, "SCAN_SECONDS", 0.01)
    damaged = challenge_folder(tmp_path) / f"{NAME}.alpn.pem"
    damaged.parent.mkdir()
    damaged.write_text("half")
    given: asyncio.Queue[str] = asyncio.Queue()
    answers = TlsAlpnResponder(tmp_path, lambda name, _: given.put_nowait(name))
    ChallengeSolver(tmp_path).present_tls_alpn("beside.example.org", "token.thumb")
    answers.scan()
    assert given.get_nowait() == "beside.example.org"
    looking = asyncio.ensure_future(answers.run())
    try:
        ChallengeSolver(tmp_path).present_tls_alpn("after.example.org", "token.thumb")
        assert await asyncio.wait_for(given.get(), 30) == "after.example.org"
        assert not looking.done()
    finally:
        looking.cancel()
    (warning,) = caplog.records
    assert warning.getMessage().startswith(f"The challenge {damaged} cannot be used: ")
