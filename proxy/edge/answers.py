"""What labgate says itself: refusals, redirects, the page while Jupyter is away.

No version, no name of ours: a stranger learns nothing from an error.
"""

from __future__ import annotations

import base64
import hashlib
from http import HTTPStatus

from proxy.rules.model import Field, RequestHead
from proxy.upstream.relay import http_date

RETRY_AFTER_SECONDS = 2

_SCRIPT = """
async function look() {
  try {
    const answer = await fetch("/.labgate/ready", {cache: "no-store"});
    if (answer.ok) { location.reload(); return; }
  } catch (error) { /* labgate itself is away: keep looking */ }
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
"""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #333; background: #fafafa;
       display: grid; place-content: center; min-height: 90vh; margin: 0; text-align: center }
i { display: inline-block; width: 28px; height: 28px; border: 3px solid #ddd;
    border-top-color: #f37726; border-radius: 50%; animation: turn 1s linear infinite }
@keyframes turn { to { transform: rotate(1turn) } }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b } }
"""


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Jupyter is starting</title>
<meta name="viewport" content="width=device-width">
<noscript><meta http-equiv="refresh" content="3"></noscript>
<style>{_STYLE}</style></head>
<body><main><i></i><h1>Jupyter is not answering yet</h1>
<p>It is starting or restarting. This page opens by itself when it is ready.</p></main>
<script>{_SCRIPT}</script></body></html>
""".encode()

_POLICY = (
    f"default-src 'none'; connect-src 'self'; script-src {_hash(_SCRIPT)}; "
    f"style-src {_hash(_STYLE)}; frame-ancestors 'self'"
).encode("ascii")


def plain(
    status: int,
    sentence: str,
    *,
    persistent: bool,
    bodiless: bool = False,
    fields: tuple[Field, ...] = (),
    content_type: bytes = b"text/plain; charset=utf-8",
) -> bytes:
    """A whole response: one sentence, and what must stand in its head."""
    content = sentence.encode("utf-8") + b"\n"
    return whole(status, content, content_type, (*fields, *_ending(persistent)), bodiless)


def redirect(status: int, location: str, *, persistent: bool, bodiless: bool) -> bytes:
    """A redirect; the sentence is for people who read with curl."""
    field = (b"Location", location.encode("ascii"))
    sentence = f"This is at {location}"
    return plain(status, sentence, persistent=persistent, bodiless=bodiless, fields=(field,))


def unavailable(head: RequestHead, status: int, *, persistent: bool) -> bytes:
    """Jupyter gave no answer: a page that reloads for people, a sentence for programs."""
    bodiless = head.method == b"HEAD"
    retry: tuple[Field, ...] = ()
    if status == 503:
        retry = ((b"Retry-After", b"%d" % RETRY_AFTER_SECONDS),)
        if is_navigation(head):
            policy = (b"Content-Security-Policy", _POLICY)
            fields = (*retry, policy, *_ending(persistent))
            return whole(status, _PAGE, b"text/html; charset=utf-8", fields, bodiless)
    sentence = _SENTENCES.get(status, _SENTENCES[502])
    return plain(status, sentence, persistent=persistent, bodiless=bodiless, fields=retry)


_SENTENCES = {
    502: "Jupyter's answer could not be understood.",
    503: "Jupyter is not answering yet; try again in a moment.",
    504: "Jupyter did not answer in time.",
}


def is_navigation(head: RequestHead) -> bool:
    """Whether a person's browser opens a page, and not a program or a script fetches."""
    modes = head.values(b"sec-fetch-mode")
    if modes and modes != [b"navigate"]:
        return False
    accepts = any(b"text/html" in value for value in head.values(b"accept"))
    return head.method in (b"GET", b"HEAD") and accepts


def whole(
    status: int,
    content: bytes,
    content_type: bytes,
    fields: tuple[Field, ...],
    bodiless: bool,
) -> bytes:
    """Head and content as bytes."""
    lines = [
        b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode("ascii")),
        b"Date: " + http_date(),
        b"Content-Type: " + content_type,
        b"Content-Length: %d" % len(content),
        b"Cache-Control: no-store",
        b"X-Content-Type-Options: nosniff",
        *(b"%b: %b" % field for field in fields),
        b"\r\n",
    ]
    return b"\r\n".join(lines) + (b"" if bodiless else content)


def _ending(persistent: bool) -> tuple[Field, ...]:
    return () if persistent else ((b"Connection", b"close"),)
