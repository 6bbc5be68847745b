"""The pages labgate shows to people, made of the files in ``templates`` and ``static``.

A page is whole in one response: nothing is fetched for it, not even an icon, so it comes whatever
else is broken, and its Content-Security-Policy lets nothing else run. The pages show neither
labgate's name nor one that is served here: an attacker learns nothing from an error.

The files are read at start. The templates are Python's ``string.Template``, because nothing in
them repeats or depends: ``$name`` stands for text, and nothing else is evaluated.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import NamedTuple

from proxy.web.error_words import error_words


class Page(NamedTuple):
    """A page, and the Content-Security-Policy that belongs to it."""

    content: bytes
    policy: bytes


def error_page(status: int, reason: str, sentence: str, request_id: str) -> Page:
    """What happened and what to do.

    Args:
        status: The answer's status.
        reason: The rule that refused, or another short name of the error.
        sentence: What programs get.
        request_id: Identifies the request in the log of this server.
    """
    words = error_words(status, reason)
    return _page(
        _ERROR,
        words.heading,
        status=f"{status} {HTTPStatus(status).phrase}",
        sentence=sentence,
        advice=words.advice,
        request_id=request_id,
    )


def _page(
    template: Template,
    heading: str,
    *,
    refresh: str = "",
    script: str = "",
    form: bool = False,
    **texts: str,
) -> Page:
    """A whole page.

    Args:
        template: Its content.
        heading: Its title, and ``$heading`` of the template.
        refresh: HTML for its head.
        script: What runs in it; it may fetch from this server.
        form: Whether a form in it may be sent, to this server.
        texts: The template's other names; what looks like HTML in them stays text.
    """
    texts = {name: escape(text) for name, text in texts.items()}
    title = escape(heading)
    html = _FRAME.substitute(
        title=title,
        refresh=refresh,
        style=_STYLE,
        content=template.substitute(texts, heading=title),
        script=f"<script>{script}</script>\n" if script else "",
    )
    return Page(html.encode("utf-8"), _policy(script=script, form=form))


def _policy(*, script: str, form: bool) -> bytes:
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


def _hash(inline: str) -> str:
    """The source expression that allows an element with this content."""
    digest = hashlib.sha256(inline.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")


def _template(name: str) -> Template:
    return Template(_read(f"templates/{name}"))


_SELF, _NONE = "'self'", "'none'"
_FRAME, _ERROR = _template("page.html"), _template("error.html")
_STYLE = _read("static/page.css")

WAITING_PAGE = _page(
    _template("waiting.html"),
    "Jupyter is not answering yet",
    refresh=_read("templates/waiting_refresh.html"),
    script=_read("static/waiting.js"),
)
"""While Jupyter is away; for a GET, because it loads its address again."""

LOGOUT_PAGE = _page(_template("logout.html"), "Log out here?", form=True)
"""Asks before it ends a session."""
