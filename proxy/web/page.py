"""The pages labgate shows to people: one template, whole in one response.

Nothing is fetched for them, not even an icon, so they come whatever else is broken, and their
Content-Security-Policy lets nothing else run. No name of ours, and no name that is served
here: a stranger learns nothing from an error.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import NamedTuple

_STYLE = """
:root { color-scheme: light dark; --back: #f6f6f7; --card: #fff; --line: #dcdce0;
        --text: #24242a; --soft: #5c5c66; --mark: #b4500b; --on-mark: #fff }
@media (prefers-color-scheme: dark) {
  :root { --back: #161618; --card: #202024; --line: #38383e;
          --text: #ececf0; --soft: #a8a8b3; --mark: #f5914e; --on-mark: #1b1208 } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; align-items: center; justify-items: center;
       padding: 1rem; background: var(--back); color: var(--text);
       font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif }
main { width: 100%; max-width: 34rem; padding: clamp(1.25rem, 6vw, 2.5rem);
       background: var(--card); border: 1px solid var(--line); border-top: 4px solid var(--mark);
       border-radius: 0 0 .5rem .5rem; overflow-wrap: anywhere }
h1 { margin: 0 0 .75rem; font-size: clamp(1.25rem, 5vw, 1.45rem); line-height: 1.3;
     font-weight: 650 }
p { margin: .75rem 0 0 }
.status { margin: 0 0 .5rem; color: var(--mark); font-size: .9rem; font-weight: 600 }
.advice { color: var(--soft) }
.turning { width: 2rem; height: 2rem; margin-bottom: 1rem; border: 3px solid var(--line);
           border-top-color: var(--mark); border-radius: 50%; animation: turn 1s linear infinite }
@keyframes turn { to { transform: rotate(1turn) } }
@media (prefers-reduced-motion: reduce) { .turning { animation: none } }
form { margin-top: 1.5rem }
button { padding: .6rem 1.2rem; border: 0; border-radius: .35rem; font: inherit;
         font-weight: 600; color: var(--on-mark); background: var(--mark); cursor: pointer }
button:focus-visible { outline: 3px solid var(--text); outline-offset: 2px }
"""

_SCRIPT = """
async function look() {
  try {
    const answer = await fetch("/.labgate/ready", {cache: "no-store"});
    if (answer.ok) { location.reload(); return; }
  } catch (error) { /* the server itself is away: keep looking */ }
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
"""


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _policy(*, script: str = "", form: bool = False) -> bytes:
    directives = [
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        "img-src data:",
        "base-uri 'none'",
        f"form-action {_SELF if form else _NONE}",
        "frame-ancestors 'self'",
    ]
    if script:
        directives += [f"script-src {_hash(script)}", f"connect-src {_SELF}"]
    return "; ".join(directives).encode("ascii")


_SELF, _NONE = "'self'", "'none'"


class Page(NamedTuple):
    """A page, and the Content-Security-Policy that belongs to it."""

    content: bytes
    policy: bytes


class Words(NamedTuple):
    """What a page says beside the sentence that programs get too."""

    heading: str
    advice: str


_TELL = "If that does not help, tell whoever runs this server: its log has the reason."

_WORDS: dict[tuple[int, str], Words] = {
    (401, ""): Words(
        "A login is needed",
        "Load this page again to be asked for a user and a password. If you have none, "
        "ask whoever runs this server for them.",
    ),
    (401, "logged-out"): Words(
        "You are logged out",
        "If your browser asks for a password now, cancel: then it forgets the one it has. "
        "Jupyter's own login, if it has one, ends with Log Out in Jupyter's menu.",
    ),
    (403, "logout"): Words(
        "Nobody was logged out",
        "Use the button or the menu of the page itself. Pages of other sites may not do that "
        "in your name.",
    ),
    (403, ""): Words(
        "This is not allowed", "Whoever runs this server finds the reason in its log."
    ),
    (403, "allow-list"): Words(
        "No way in from your network",
        "Come from the network or the VPN that was set up for it, or ask whoever runs this "
        "server to let your address in.",
    ),
    (404, ""): Words("There is nothing here", "Check the address for a typing mistake."),
    (408, ""): Words(
        "That took too long", "Check your connection to the network, and send it again."
    ),
    (421, ""): Words(
        "This server answers under another name",
        "Open it by exactly the address you were given: the name, and the number behind a "
        "colon if there is one. Whoever runs this server finds in its log what was asked for.",
    ),
    (429, ""): Words(
        "Please wait before you log in again",
        "Until then even the right password is refused. Whoever is logged in already can go "
        "on working.",
    ),
    (500, ""): Words(
        "Something went wrong on this server",
        "Load this page again. If that does not help, tell whoever runs this server.",
    ),
    (502, ""): Words("Jupyter gave no usable answer", f"Load this page again. {_TELL}"),
    (503, ""): Words("Too much at once", "Wait a moment, then load this page again."),
    (503, "upstream"): Words(
        "What you sent may not have arrived",
        "Jupyter is starting or restarting. Go back, and send it again once it answers.",
    ),
    (504, ""): Words(
        "Jupyter takes too long to answer",
        f"It may be busy with something big. Wait a moment, then load this page again. {_TELL}",
    ),
}

_OTHER_SITE = Words(
    "This was opened from another site",
    "Type its address into the address bar, or open it from within Jupyter. Pages of other "
    "sites may not do things here in your name.",
)
_WORDS[403, "origin"] = _WORDS[403, "fetch-site"] = _OTHER_SITE

_NOT_UNDERSTOOD = Words(
    "The request was not understood",
    f"Check the address, and load this page again. {_TELL}",
)


def error_page(status: int, reason: str, sentence: str) -> Page:
    """What happened and what to do.

    Args:
        status: The answer's status.
        reason: The rule that refused, or another word for what is the matter.
        sentence: What programs are told.
    """
    words = _WORDS.get((status, reason)) or _WORDS.get((status, ""), _NOT_UNDERSTOOD)
    label = f'<p class="status">{status} {escape(HTTPStatus(status).phrase)}</p>\n'
    return Page(_filled(words.heading, sentence, words.advice, before=label), _ERROR_POLICY)


def form_page(
    heading: str,
    sentence: str,
    advice: str,
    *,
    action: str,
    button: str,
    hidden: Mapping[str, str] | None = None,
) -> Page:
    """A page with one button, which posts to ``action``, a path of ours.

    Args:
        heading: What this is about.
        sentence: What the button does.
        advice: What to know besides.
        action: Where the form goes.
        button: What stands on the button.
        hidden: Further values that are sent along.
    """
    inputs = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'
        for name, value in (hidden or {}).items()
    )
    form = (
        f'<form method="post" action="{escape(action)}">\n{inputs}'
        f"<button>{escape(button)}</button>\n</form>\n"
    )
    return Page(_filled(heading, sentence, advice, after=form), _FORM_POLICY)


def _filled(
    heading: str,
    sentence: str,
    advice: str,
    *,
    before: str = "",
    after: str = "",
    head: str = "",
    script: str = "",
) -> bytes:
    """The template; ``before``, ``after`` and ``head`` are HTML, everything else is text."""
    running = f"<script>{script}</script>\n" if script else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(heading)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
{head}<style>{_STYLE}</style>
</head>
<body>
<main>
{before}<h1>{escape(heading)}</h1>
<p>{escape(sentence)}</p>
<p class="advice">{escape(advice)}</p>
{after}</main>
{running}</body>
</html>
""".encode()


_ERROR_POLICY = _policy()
_FORM_POLICY = _policy(form=True)

WAITING = Page(
    _filled(
        "Jupyter is not answering yet",
        "It is starting, restarting, paused or very busy.",
        "This page opens by itself when it is ready.",
        before='<div class="turning" aria-hidden="true"></div>\n',
        head='<noscript><meta http-equiv="refresh" content="3"></noscript>\n',
        script=_SCRIPT,
    ),
    _policy(script=_SCRIPT),
)
"""While Jupyter is away; for a GET, because it loads its address again."""

LOGOUT = form_page(
    "Log out here?",
    "This ends the session of this browser, in all its windows.",
    "Jupyter and what runs in it go on. Other browsers stay logged in.",
    action="/.labgate/logout",
    button="Log out",
)
