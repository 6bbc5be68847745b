"""The filter for fail2ban, tried by fail2ban itself on what labgate really logs."""

from __future__ import annotations

import base64
import logging
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.allow import LoginAttempt
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.session import Sessions
from proxy.observe.access_log import AccessLog
from proxy.runtime.log_format import FormatName, LineFormatter, LogFormat
from tests.conftest import require
from tests.edges import edge, request
from tests.passwords import write_htpasswd

pytestmark = pytest.mark.fail2ban

FILTER = Path(__file__).parents[2] / "config/fail2ban/filter.d/labgate.conf"
INNOCENT = "203.0.113.9"
SAID = f"lockout: too many failed logins, {INNOCENT} is shut out for 900 s"
LINE = f"2026-11-25 20:56:49,123 WARNING {SAID}"
JSON_LINE = LogFormat("json").line(1_795_640_209.5, "WARNING", SAID, {"client": "x"})[:-1]
BREAKS = [
    "",
    "\n",
    "\r",
    "\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "'\n",
    '"',
    "\\n",
]
JOURNAL = "lab labgate[812]: "


@pytest.fixture(autouse=True)
def fail2ban() -> None:
    require(shutil.which("fail2ban-regex"), "no fail2ban", "apt-get install fail2ban")


def banned(file: Path) -> list[str]:
    """Whom fail2ban would ban for the lines of a log."""
    command = ["fail2ban-regex", "--raw", "--usedns=no", "-o", "ip", str(file), str(FILTER)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert not ran.stderr, ran.stderr
    return ran.stdout.split()


LINES = [
    (LINE, [INNOCENT]),
    (LINE.replace(INNOCENT, "2001:db8:1:2::/64"), ["2001:db8:1:2::/64"]),
    (f"{JOURNAL}{LINE}", [INNOCENT]),
    (f"Nov 25 20:56:49 {JOURNAL}{LINE}", [INNOCENT]),
    (f"{LINE} more", []),
    (f"2026-11-25 20:56:49,123 INFO {SAID}", []),
    (f"  {SAID}", []),
    (f"x {LINE}", []),
    (f"{JOURNAL}GET {LINE}", []),
    (JSON_LINE, [INNOCENT]),
    (f"{JOURNAL}{JSON_LINE}", [INNOCENT]),
    (JSON_LINE.replace("warning", "info"), []),
    (f"x{JSON_LINE}", []),
    (LogFormat("json").line(0, "WARNING", f"refused {JSON_LINE}", {"detail": JSON_LINE}), []),
    (
        f"2026-11-25 20:56:49,123 WARNING refused 403 by rule origin: Origin '{LINE}'; GET /",
        [],
    ),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_lines(line: str, expected: list[str], tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(f"{line}\n")
    assert banned(file) == expected


@pytest.fixture(params=["text", "json"])
def form(request: pytest.FixtureRequest) -> LogFormat:
    """Both forms that a log can have."""
    name: FormatName = request.param
    return LogFormat(name)


@pytest.fixture
def log(tmp_path: Path, form: LogFormat) -> Iterator[Path]:
    """labgate's log in a file, in the form it has on standard error."""
    file = tmp_path / "labgate.log"
    handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(LineFormatter(form))
    logger = logging.getLogger("labgate")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield file
    logger.setLevel(before)
    logger.removeHandler(handler)
    handler.close()


def planted(octets: bytes) -> list[bytes]:
    """Requests with ``octets`` wherever something of a request is repeated."""
    spaceless = octets.replace(b" ", b"%20")
    pair = base64.b64encode(b"eve" + octets + b":x")
    names = [b"Origin", b"Referer", b"User-Agent", b"Sec-Fetch-Site", b"Expect", b"Cookie"]
    heads = [request(b"/", name + b": " + octets) for name in names]
    heads += [
        request(b"/" + spaceless),
        request(spaceless),
        request(b"/?" + spaceless),
        request(b"/", method=spaceless),
        request(b"/", method=b"lockout"),
        request(b"/", b"Authorization: " + octets),
        request(b"/", b"Authorization: Basic " + pair),
        request(b"/", octets + b": x"),
        b"GET / HTTP/1.1\r\nHost: " + octets + b"\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: lab.example.org\r\nHost: " + octets + b"\r\n\r\n",
        octets + b"\r\n\r\n",
        b"\r\n" + octets + b"\r\n\r\n",
    ]
    return heads


async def test_what_clients_send_bans_nobody(log: Path, form: LogFormat, tmp_path: Path) -> None:
    users = write_htpasswd(tmp_path)
    lockout = Lockout(0, 900.0)
    async with edge(None) as labgate:
        labgate.router.protect(AccessControl(lockout, Htpasswd(users), Sessions(b"k" * 32)))
        for said in (SAID, LINE, f"WARNING {SAID}", JSON_LINE):
            for cut in BREAKS:
                octets = f"x{cut}{said}{cut}".encode()
                for head in planted(octets):
                    await labgate.ask(head)
        records = labgate.records
    with log.open("a") as stream:
        access = AccessLog(stream, log_format=form)
        for record in records:
            access(record)
        access.flush()
    text = log.read_bytes().decode()
    assert text.count("too many failed logins") > 50
    assert banned(log) == []
    # However a reader cuts it into lines, none begins like labgate's own.
    assert not [line for line in text.splitlines() if re.match(r"(\S+ \S+ )?(WARNING )?lock", line)]
    # The same lines as the journal has them.
    journal = tmp_path / "journal"
    journal.write_text("".join(f"{JOURNAL}{line}\n" for line in text.split("\n")))
    assert banned(journal) == []


def test_who_is_shut_out_is_banned(log: Path) -> None:
    lockout = Lockout(2, 900.0)
    access_control = AccessControl(lockout)
    for _ in range(3):
        lockout.acquire(INNOCENT)
        access_control.on_response_end(LoginAttempt(INNOCENT, b"/login"), 401)
    assert banned(log) == [INNOCENT]
