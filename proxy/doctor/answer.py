"""What came back for a request, as the judgements read it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from proxy.rules.redaction import redact_target

from .secret_values import SecretValues

MAX_TOLD_CHARACTERS = 160

MAX_MESSAGE_BYTES = 4096
"""How much of an error's text is looked at for its sentence, and of a page for its heading."""

NO_HTTP = "what came is no HTTP"
"""How the reason begins why there is no response where another protocol is spoken."""

UNREADABLE = "what came is HTTP that cannot be read"
"""How it begins where the answer begins as HTTP, and is malformed or too large."""

_UNREAD = (b"head", b"script", b"style")
"""Elements of a page whose content nobody reads."""


def not_http(beginning: str) -> str:
    """What is spoken where no HTTP is, for people.

    Args:
        beginning: What came, or a message with it.
    """
    return f"{NO_HTTP}: an SSH server is there" if "SSH-" in beginning else NO_HTTP


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, or the reason why there is none.

    Attributes:
        sent: The request that it answers, without secrets.
        status: 0 if no response came.
        fields: Names and values, in their order.
        body: The beginning of the content.
        size_bytes: The length of the whole content.
        failure: Why there is no response, or why its content ends early; empty if all is well.
        secrets: What must not be shown of it, however the server wrote it.
    """

    sent: str
    status: int = 0
    fields: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    size_bytes: int = 0
    failure: str = ""
    secrets: SecretValues = field(default_factory=SecretValues, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300 and not self.failure

    @property
    def redirects(self) -> bool:
        return self.status in (301, 302, 303, 307, 308)

    @property
    def location(self) -> str:
        return self.field("Location")

    @property
    def elsewhere(self) -> bool:
        """Whether it redirects to a full address, not to a path."""
        return self.redirects and bool(urlsplit(self.location).netloc)

    def field(self, name: str) -> str:
        """The first value of a field; empty if there is none."""
        return next((value for key, value in self.fields if key.lower() == name.lower()), "")

    def values(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    @property
    def json(self) -> Any:
        """The JSON in it; None if there is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            # Brackets in brackets in brackets raise the second one.
            return None

    @property
    def message(self) -> str:
        """The sentence in an error: of Jupyter's JSON, of a page's text, or the text itself."""
        content = self.json if self.body.lstrip()[:1] == b"{" else None
        if isinstance(content, dict):
            return str(content.get("message") or content.get("reason") or "")
        text = self.body
        if b"<" in text:
            heading = _element(text, b"h1") or _element(text, b"title")
            text = _without_markup(heading or text)
        read = text[:MAX_MESSAGE_BYTES].decode("utf-8", "replace")
        return unescape(" ".join(read.split()))

    @property
    def received(self) -> str:
        """Status, where it leads, and what an error says, in a line for people."""
        if not self.status:
            return self.secrets.removed_from(self.failure)
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = ""
        text = f"{self.status} {phrase}".rstrip()
        if self.location:
            text += f", Location: {redact_target(self.location.encode()).decode()}"
        # Pages that work may hold secrets: Lab's embeds the token.
        if self.status >= 400 and self.message and not _repeats(self.message, text):
            text += f": {self.message}"
        if self.failure:
            text += f"; then {self.failure}"
        # Of a secret that is cut in two, a part would stay.
        return shortened(self.secrets.removed_from(text))


def _element(page: bytes, name: bytes) -> bytes:
    """The content of the first element of this name; empty without one.

    By searching forward only: a hostile page may be long, and full of what looks like one.
    """
    lowered = page.lower()
    start = lowered.find(b"<" + name)
    opened = lowered.find(b">", start) if start >= 0 else -1
    end = lowered.find(b"</" + name, opened) if opened >= 0 else -1
    return page[opened + 1 : end] if end >= 0 else b""


def _without_markup(page: bytes) -> bytes:
    """The text of a page, as much as is looked at; each tag becomes a space."""
    lowered, text, length, at = page.lower(), [b""], 0, 0
    while at >= 0 and length < MAX_MESSAGE_BYTES:
        start = page.find(b"<", at)
        text.append(page[at:start] if start >= 0 else page[at:])
        length += len(text[-1]) + 1
        at = _after_tag(lowered, start) if start >= 0 else -1
    return b" ".join(text)


def _after_tag(lowered: bytes, start: int) -> int:
    """Where the tag at ``start`` ends, or its element, if nobody reads that; -1 if it does not."""
    for name in _UNREAD:
        after = start + 1 + len(name)
        if lowered.startswith(name, start + 1) and not lowered[after : after + 1].isalpha():
            start = lowered.find(b"</" + name, after)
            break
    end = lowered.find(b">", start) if start >= 0 else -1
    return end + 1 if end >= 0 else -1


def _repeats(message: str, status: str) -> bool:
    """Whether a page says no more than its status: ``404 : Not Found``."""
    return _letters(message) in (_letters(status), _letters(status[4:]))


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text).lower()


def shortened(text: str) -> str:
    """Text without control characters, and not longer than people read."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    if len(plain) <= MAX_TOLD_CHARACTERS:
        return plain
    return plain[: MAX_TOLD_CHARACTERS - 1].rstrip() + "…"


def set_cookies(answer: Answer) -> dict[str, tuple[str, frozenset[str]]]:
    """The cookies that are set: value, and attributes in lower case (RFC 6265 section 5.2)."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    for line in answer.values("Set-Cookie"):
        pair, *attributes = line.split(";")
        name, _, value = pair.strip().partition("=")
        found[name] = (value, frozenset(one.strip().lower() for one in attributes))
    return found
