"""Secrets never reach a log or a terminal."""

from __future__ import annotations

import pytest

from proxy.rules.redaction import (
    REDACTED,
    printable,
    redact,
    redact_octets,
    redact_phrase,
    redact_target,
)
from proxy.rules.secret_names import is_secret_field, is_secret_parameter, may_hold_secrets

FIELDS = [
    (b"Authorization", b"token s3cret", b"token [redacted]"),
    (b"authorization", b"Bearer s3cret and more", b"Bearer [redacted]"),
    (b"authorization", b"s3cret", b"[redacted]"),
    (b"authorization", b"s3cret s3cret", b"[redacted]"),
    (b"Proxy-Authorization", b"Basic s3cret", b"Basic [redacted]"),
    (b"X-XSRFToken", b"s3cret", b"[redacted]"),
    (b"X-Forwarded-Access-Token", b"s3cret", b"[redacted]"),
    (b"X-Api-Key", b"s3cret", b"[redacted]"),
    (b"X-Session-Id", b"s3cret", b"[redacted]"),
    (b"Cf-Access-Jwt-Assertion", b"s3cret", b"[redacted]"),
    (b"X_Client_Secret", b"s3cret", b"[redacted]"),
    (b"X-Original-Cookie", b"a=s3cret", b"[redacted]"),
    (b"Cookie", b"a=s3cret; username-x=s3cret", b"a=[redacted]; username-x=[redacted]"),
    (b"Cookie", b"s3cret; ;a=s=t", b"[redacted]; ;a=[redacted]"),
    (b"Set-Cookie", b"a=s3cret; Path=/; Secure", b"a=[redacted]; Path=/; Secure"),
    (b"Referer", b"https://h/lab?token=s3cret&x=1", b"https://h/lab?token=[redacted]&x=1"),
    (b"Referer", b"https://ada:s3cret@h/lab?x=1", b"https://[redacted]@h/lab?x=1"),
    (b"Origin", b"https://ada:s3cret@h", b"https://[redacted]@h"),
    (b"Host", b"ada:s3cret@h:80", b"[redacted]@h:80"),
    (b"Location", b"http://ada:s3/cret@h/", b"http://ada:s3/cret@h/"),  # the host is ada
    (b"Location", b"http://ada:s3%2fcret@h/", b"http://[redacted]@h/"),
    (b"Location", b"/login?next=/x", b"/login?next=/x"),
    (b"Link", b"<https://a:s3cret@h/?key=s3cret>", b"<https://[redacted]@h/?key=[redacted]"),
    (
        b"Sec-WebSocket-Protocol",
        b"v1.kernel.websocket.jupyter.org, v1.token.websocket.jupyter.org.s3cret,s3cret",
        b"v1.kernel.websocket.jupyter.org, [redacted],[redacted]",
    ),
    # No secrets.
    (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhlIHNhbXBsZSBub25jZQ=="),
    (b"WWW-Authenticate", b'Basic realm="Jupyter"', b'Basic realm="Jupyter"'),
    (b"Access-Control-Allow-Credentials", b"true", b"true"),
    (b"Keep-Alive", b"timeout=5", b"timeout=5"),
    (b"Host", b"h", b"h"),
]


@pytest.mark.parametrize(("name", "value", "expected"), FIELDS)
def test_fields(name: bytes, value: bytes, expected: bytes) -> None:
    assert redact(name, value) == expected


TARGETS = [
    (b"/a?TOKEN=x&b=1", b"/a?TOKEN=[redacted]&b=1"),
    (b"/a?token=x&key=y&b=1", b"/a?token=[redacted]&key=[redacted]&b=1"),
    (b"/a?token=&key=", b"/a?token=[redacted]&key=[redacted]"),
    (b"/a?b=token", b"/a?b=token"),
    (b"/a?b=token&c=d@e", b"/a?b=token&c=d@e"),
    (b"/a?to%6ben=s3cret", b"/a?to%6ben=[redacted]"),
    (b"/a?%74%6F%6b%65%6E=s3cret&v=1", b"/a?%74%6F%6b%65%6E=[redacted]&v=1"),
    (b"/a?+token=s3cret", b"/a?+token=[redacted]"),
    (b"/a?x-api%2dkey=s3cret", b"/a?x-api%2dkey=[redacted]"),
    (b"/a?b=1&_xsrf=2|s3cret;s3cret", b"/a?b=1&_xsrf=[redacted]"),
    (b"/lab%3Ftoken%3Ds3cret", b"/lab%3Ftoken%3D[redacted]"),
    (b"/a;token=s3cret", b"/a;token=[redacted]"),
    (b"/a#token=s3cret", b"/a#token=[redacted]"),
    (b"/oauth_callback?code=s3cret&state=x", b"/oauth_callback?code=[redacted]&state=x"),
    (b"/login?next=%2Flab%3Ftoken%3Ds3cret", b"/login?next=%2Flab%3Ftoken%3D[redacted]"),
    (b"/login?next=%2Flab%3Fto%256ben%3Ds3cret", b"/login?next=%2Flab%3Fto%256ben%3D[redacted]"),
    (
        b"/login?next=%252Flab%253Fa%253Db%2526TOKEN%253Ds3cret&x=1",
        b"/login?next=%252Flab%253Fa%253Db%2526TOKEN%253D[redacted]&x=1",
    ),
    (b"http://ada:s3cret@h/lab", b"http://[redacted]@h/lab"),
    (b"http://ada:s3@cret@h", b"http://[redacted]@h"),
    (b"//ada:s3cret@h/lab", b"//[redacted]@h/lab"),
    (b"ada:s3cret@h:443", b"[redacted]@h:443"),
    (b"/x?next=https://ada:s3cret@h/", b"/x?next=https://[redacted]@h/"),
    (
        b"/x?next=https%3A%2F%2Fada%3As3%252Fcret%40h%2Flab",
        b"/x?next=https%3A%2F%2F[redacted]@h%2Flab",
    ),
    (b"/files/ada@home/a=b", b"/files/ada@home/a=b"),
    (b"/files//ada@home", b"/files//ada@home"),
    (b"/static/a.js?v=0123456789abcdef", b"/static/a.js?v=0123456789abcdef"),
]


@pytest.mark.parametrize(("target", "expected"), TARGETS)
def test_targets(target: bytes, expected: bytes) -> None:
    assert redact_target(target) == expected


@pytest.mark.parametrize("word", [b"token", b"key", b"secret", b"auth", b"cookie", b"password"])
def test_names_that_speak_of_secrets(word: bytes) -> None:
    for name in (word, b"x-" + word, b"x_" + word + b"_id", b"my" + word):
        assert is_secret_field(name)
        assert is_secret_parameter(name.upper())
        assert is_secret_parameter(b"".join(b"%%%02x" % octet for octet in name))


def test_a_name_that_is_too_long_to_decode_counts_as_secret() -> None:
    assert not is_secret_parameter(b"x" * 256)
    assert is_secret_parameter(b"x" * 257)


def test_what_a_connection_began_with() -> None:
    octets = (
        b"GET /?token=s3cret HTTP/1.1\r\nAuthorization: token s3cret\r\nHost: h:80\r\n"
        b"Referer: http://h/:?token=s3cret:\r\nAuthorization"
    )
    assert redact_octets(octets) == (
        b"GET /?token=[redacted] HTTP/1.1\r\nAuthorization:token [redacted]\nHost:h:80\n"
        b"Referer:http://h/:?token=[redacted]\nAuthorization"
    )


def test_control_bytes_are_shown_not_sent() -> None:
    assert printable(b"a\x1b[31m\r\nb\xff") == "a\\x1b[31m\\x0d\\x0abÿ"
    assert printable(b"x" * 300) == "x" * 300
    assert printable(b"x" * 301) == "x" * 300 + "…"
    assert printable(b"\n" * 3, limit=2) == "\\x0a\\x0a…"


def test_a_long_value_takes_no_time() -> None:
    assert redact(b"Set-Cookie", b"a" * 250_000) == b"[redacted]"
    assert redact(b"Cookie", b"a;" * 100_000).count(b"[redacted]") == 100_000
    for piece in (b"?", b"%25", b"%3f", b"%2f", b"//", b"=%2f%2f", b"@", b"?a", b"a=", b"%"):
        redact_target(b"/?" + piece * 20_000)
        redact_target(b"http:" + piece * 20_000)


@pytest.mark.parametrize("name", [b"token", b"TOKEN", b"x_key", b"code", b"n" * 300])
def test_the_quick_look_misses_no_name(name: bytes) -> None:
    assert may_hold_secrets(b"/lab?" + name + b"=1")
    assert REDACTED in redact_target(b"/lab?" + name + b"=1")


def test_the_quick_look_takes_a_name_that_is_too_long_for_a_secret_one() -> None:
    assert may_hold_secrets(b"n" * 257)
    assert not may_hold_secrets(b"n" * 256)


def test_the_quick_look_passes_what_has_no_secret() -> None:
    assert not may_hold_secrets(b"/api/contents?content=0&1795653153775")


PHRASES = [
    (b"OK", b"OK"),
    (b"Not Found", b"Not Found"),
    (b"OK token=s3cret", b"OK token=[redacted]"),
    (b"token=s3cret", b"token=[redacted]"),
    (b"OK a=1 key=s3cret&b=2", b"OK a=1 key=[redacted]&b=2"),
    (b"Found /lab?token=s3cret", b"Found /lab?token=[redacted]"),
    (b"Bad token: s3cret s3cret", b"Bad token: [redacted]"),
    (b"Bad gateway: refused", b"Bad gateway: refused"),
    (b"Very bad Token: s3cret", b"Very bad Token: [redacted]"),
    (b"Token: s3cret: s3cret", b"Token: [redacted]"),
    (b"No token:", b"No token:"),
    (b"No token: ", b"No token: "),
    (b"Two  spaces", b"Two  spaces"),
    (b"Bad code: s3cret", b"Bad code: [redacted]"),
    (b"No Sec-WebSocket-Key: abc", b"No Sec-WebSocket-Key: abc"),
    (b"ada:s3cret@h", b"[redacted]@h"),
    (b"", b""),
]


@pytest.mark.parametrize(("phrase", "expected"), PHRASES)
def test_phrases(phrase: bytes, expected: bytes) -> None:
    assert redact_phrase(phrase) == expected
