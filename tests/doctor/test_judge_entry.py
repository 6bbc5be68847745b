"""Whether Jupyter is there: one answer, one finding or none."""

from __future__ import annotations

import json
import ssl
from datetime import UTC, datetime

import pytest
import trustme

from proxy.doctor.answer import UNREADABLE, Answer, not_http
from proxy.doctor.judge.entry import (
    ECHOED,
    PLAIN,
    certificate_in_words,
    judge_base,
    judge_head_size,
    judge_jupyter,
    judge_other_server,
    judge_path,
    judge_redirect,
    judge_two_hosts,
    moved_to,
)
from proxy.doctor.judge.server import Recognised, rate_limited, recognise
from proxy.doctor.target import Target

AUTHORITY = trustme.CA(organization_name="\x1b[31mEvil\r\n", organization_unit_name="b" * 60)


def der_of(leaf: trustme.LeafCert) -> bytes:
    return ssl.PEM_cert_to_DER_cert(leaf.cert_chain_pems[0].bytes().decode())


def test_a_certificate_in_words() -> None:
    """A stranger has written it: nothing of it reaches a terminal but what can be printed."""
    until = datetime(2030, 1, 2, tzinfo=UTC)
    leaf = AUTHORITY.issue_cert("lab.example.org", "127.0.0.1", not_after=until)
    words = certificate_in_words(der_of(leaf))
    assert words.startswith("for lab.example.org, 127.0.0.1, by ")
    assert words.isprintable()
    assert "Evil" in words
    assert words.endswith("until 2030-01-02")


def test_a_certificate_for_many_names_is_shown_in_a_line() -> None:
    names = [f"lab{number}.example.org" for number in range(100)]
    assert len(certificate_in_words(der_of(AUTHORITY.issue_cert(*names)))) < 400


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"no certificate"])
def test_a_certificate_that_cannot_be_read(der: bytes) -> None:
    assert certificate_in_words(der) == "which cannot be read"


def test_a_certificate_without_names() -> None:
    ca = ssl.PEM_cert_to_DER_cert(AUTHORITY.cert_pem.bytes().decode())
    assert certificate_in_words(ca).startswith("for no name, by ")


LAB = Target("https", "lab.example.org", 443)
ADA = Target("https", "lab.example.org", 443, "/user/ada")
VERSION = b'{"version": "2.21.1"}'
REFUSED = json.dumps({"message": "Forbidden", "reason": None}).encode()
PAGE = b"<html><h1>403 Forbidden</h1></html>"


def answer(status: int = 0, body: bytes = b"", **fields: str) -> Answer:
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Answer("GET /api", status, pairs, body, failure="" if status else "it was reset")


CSP = "frame-ancestors 'self'; report-uri /api/security/csp-report"

JUPYTER = [
    (answer(200, VERSION), None),
    (answer(200, b"<html>hello"), "base-url"),
    (answer(200, b"[1]"), "base-url"),
    (answer(404, PAGE), "base-url"),
    (answer(403, REFUSED), "host-refused"),
    (answer(403, PAGE, Content_Security_Policy=CSP), "host-refused"),
    (answer(403, PAGE), "access-refused"),
    (answer(421, b"not here"), "host-refused"),
    (answer(400), "duplicate-host"),
    (answer(400, PAGE), "base-url"),
    (answer(401, PAGE, WWW_Authenticate="Basic"), "login-in-front"),
    (answer(401, PAGE), "login-in-front"),
    (answer(302, Location="https://sso.example/login"), "sso-redirect"),
    (answer(302, Location="/oauth2/sign_in?rd=/api"), "sso-redirect"),
    (answer(301, Location="/jupyter/api"), "base-url"),
    (answer(429), "rate-limited"),
    (answer(500, REFUSED), "jupyter-error"),
    (answer(500, PAGE), "upstream-down"),
    (answer(502, PAGE), "upstream-down"),
    (answer(503), "upstream-down"),
    (answer(), "unreachable"),
    (Answer("GET /api", failure=not_http("SSH-2.0-OpenSSH_9.2")), "not-jupyter"),
    (Answer("GET /api", failure=f"{UNREADABLE}: Invalid header token"), "malformed-response"),
]


@pytest.mark.parametrize(("given", "identifier"), JUPYTER)
def test_jupyter(given: Answer, identifier: str | None) -> None:
    found = judge_jupyter(given, LAB)
    assert (found and found.id) == identifier


XSRF = "_xsrf=2|1; Path=/"
OTHERS = [
    ((answer(404, PAGE), answer(404, PAGE)), "not-jupyter"),
    ((answer(200, PAGE), answer(200, PAGE)), "not-jupyter"),
    ((answer(404, PAGE, Server="TornadoServer/6.6"), answer(404, PAGE)), "base-url"),
    ((answer(404, PAGE, Content_Security_Policy=CSP), answer(404, PAGE)), "base-url"),
    ((answer(404, PAGE), answer(200, PAGE, Set_Cookie=XSRF)), "base-url"),
    ((answer(404, PAGE), answer(200, b"<title>Jupyter Server</title>")), "base-url"),
    ((answer(404, PAGE), answer(302, Location="/hub/login")), "base-url"),
]


@pytest.mark.parametrize(("asked", "identifier"), OTHERS)
def test_another_server_has_no_base_url(asked: tuple[Answer, Answer], identifier: str) -> None:
    found = judge_jupyter(asked[0], LAB)
    assert found is not None
    assert judge_other_server(found, asked).id == identifier


MOVED = [
    ("https://lab.example.org/api", ""),
    ("http://lab.example.org/api", "http://lab.example.org/"),
    ("https://www.lab.example.org/api", "https://www.lab.example.org/"),
    ("//www.lab.example.org/api", "https://www.lab.example.org/"),
    ("/api", ""),
    ("https://sso.example/login", ""),
]


@pytest.mark.parametrize(("location", "moved"), MOVED)
def test_moved_to(location: str, moved: str) -> None:
    assert moved_to(answer(308, Location=location), LAB) == moved


REDIRECTS = [
    (answer(308, Location="https://lab.example.org/lab"), None),
    (answer(), None),
    (answer(200, PAGE), "no-redirect"),
    (answer(302, Location="/lab/tree"), "no-redirect"),
]


@pytest.mark.parametrize(("given", "identifier"), REDIRECTS)
def test_redirect(given: Answer, identifier: str | None) -> None:
    found = judge_redirect(given)
    assert (found and found.id) == identifier


@pytest.mark.parametrize(
    ("status", "identifier"),
    [(200, "duplicate-host"), (302, "duplicate-host"), (500, "duplicate-host")]
    + [(status, None) for status in (0, 400, 403, 421)],
)
def test_two_hosts(status: int, identifier: str | None) -> None:
    found = judge_two_hosts(answer(status))
    assert (found and found.id) == identifier


PATHS = [
    (ECHOED, PLAIN, None),
    (ECHOED.replace("%40", "@"), PLAIN, None),
    (ECHOED.replace("%2F", "%2f"), PLAIN, None),
    (ECHOED.replace("%2F", "/"), PLAIN, "path-decoded"),
    (ECHOED.replace("%25", "%2525"), PLAIN, "path-decoded"),
    (ECHOED.replace("%20", "+"), PLAIN, "path-decoded"),
    ("", PLAIN, "path-decoded"),
    ("", "", None),  # there is nothing that would echo a path
]


@pytest.mark.parametrize(("encoded", "plain", "identifier"), PATHS)
@pytest.mark.parametrize("base", ["", "/user/ada"])
def test_path(encoded: str, plain: str, base: str, identifier: str | None) -> None:
    def echo(path: str) -> Answer:
        return answer(302, Location=base + path) if path else answer(404)

    found = judge_path(echo(encoded), echo(plain), base)
    assert (found and found.id) == identifier


def test_a_base_url_that_was_stripped() -> None:
    assert judge_base(answer(302, Location="/user/ada" + PLAIN), "/user/ada") is None
    found = judge_base(answer(302, Location=PLAIN), "/user/ada")
    assert found is not None
    assert found.id == "base-url"


@pytest.mark.parametrize("status", [0, 400, 413, 431, 494])
def test_a_head_that_is_refused(status: int) -> None:
    found = judge_head_size(answer(status))
    assert found is not None
    assert found.id == "header-limit"


@pytest.mark.parametrize("status", [200, 403, 503])
def test_a_head_that_is_taken(status: int) -> None:
    assert judge_head_size(answer(status)) is None


SERVERS = [
    ([answer(200, Server="nginx/1.22.1")], "nginx"),
    ([answer(200, Server="TornadoServer/6.6"), answer(200, Via="1.1 Caddy")], "caddy"),
    ([answer(200, Server="Apache/2.4.71 (Debian)")], "apache"),
    ([answer(200, Server="nginx", Via="1.1 labgate")], "labgate"),
    ([answer(400, b"<h1>400</h1>\nYour browser sent an invalid request.\n")], "haproxy"),
    ([answer(200, Server="Traefik")], "traefik"),
    ([answer(400, b"<h1>400 Bad Request</h1>")], ""),
    ([answer(400, b"400 Bad Request"), answer(200, Server="Caddy")], "caddy"),
    ([answer(400, b"<hr><center>nginx</center>")], "nginx"),
    ([answer(200, b"<hr><center>nginx</center>")], ""),
    ([answer(200, Server="TornadoServer/6.6")], ""),
    ([], ""),
]


@pytest.mark.parametrize(("answers", "server"), SERVERS)
def test_recognise(answers: list[Answer], server: str) -> None:
    assert recognise(answers) == Recognised(server)


@pytest.mark.parametrize("text", [b"400 Bad Request", b"400 Bad Request: too many Host headers"])
def test_a_server_written_in_go_that_does_not_say_its_name_may_be_traefik(text: bytes) -> None:
    assert recognise([answer(400, text)]) == Recognised("traefik", perhaps=True)


def test_any_answer_may_say_that_there_were_too_many_requests() -> None:
    assert rate_limited([answer(200), answer(503)]) is None
    found = rate_limited([answer(200), answer(429)])
    assert found is not None
    assert found.id == "rate-limited"
