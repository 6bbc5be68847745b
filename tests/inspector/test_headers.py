"""The text of ``--show-headers``."""

from __future__ import annotations

from proxy.inspector.headers import format_changes
from proxy.observe.record import Record
from proxy.rules.changes import Change
from tests.heads import HOST, get


def test_every_change_has_its_rule_its_mark_and_no_secret() -> None:
    record = Record(
        get(HOST, target=b"/lab?token=s3cret"),
        status=200,
        outcome="forwarded",
        changes_up=[
            Change("host", b"Host", b"lab.example.org", b"127.0.0.1:8888"),
            Change("hop-by-hop", b"TE", b"trailers", None),
            Change("forwarded", b"X-Real-IP", None, b"203.0.113.7"),
        ],
        changes_down=[Change("set-cookie", b"Set-Cookie", b"a=s3cret", b"a=s3cret; Secure")],
    )
    assert format_changes(record).splitlines() == [
        "GET /lab?token=[redacted] from 203.0.113.7: 200 forwarded",
        "  up   host       ~ Host: lab.example.org => 127.0.0.1:8888",
        "  up   hop-by-hop - TE: trailers",
        "  up   forwarded  + X-Real-IP: 203.0.113.7",
        "  down set-cookie ~ Set-Cookie: a=[redacted] => a=[redacted]; Secure",
    ]
