"""The template: nothing that comes from outside becomes HTML, and everybody can read it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from proxy.web.page import LOGOUT_PAGE, WAITING_PAGE, Page, error_page

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "</style></title></h1><b>",
    "&lt;b&gt; &amp; &#60;",
    "{0} %s $x ${x}",
]


class Tags(HTMLParser):
    """The elements of a page, their attributes and texts."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page.content.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.tags]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_filled_in_stays_text(text: str) -> None:
    tame = Tags(error_page(421, "host", "A sentence.", "5f-1"))
    page = Tags(error_page(421, text, text, text))
    assert page.names == tame.names
    assert text in page.texts, "the sentence, to the letter"


PAGES = [
    pytest.param(error_page(421, "host", "Not here.", "5f-1"), id="error"),
    pytest.param(LOGOUT_PAGE, id="logout"),
    pytest.param(WAITING_PAGE, id="waiting"),
]


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_lets_in_what_is_there_and_nothing_else(page: Page) -> None:
    text, policy = page.content.decode(), page.policy.decode()
    directives = dict(part.partition(" ")[::2] for part in policy.split("; "))
    for name in ("style", "script"):
        inline = re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()) for one in inline]
        wanted = " ".join(f"'sha256-{one.decode()}'" for one in hashes)
        assert directives.get(f"{name}-src", "") == wanted
    assert directives["default-src"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert directives["form-action"] == ("'self'" if "<form" in text else "'none'")
    assert directives.get("connect-src", "") == ("'self'" if "<script" in text else "")
    assert not re.search(r"https?:|//|url\(|@import", re.sub("<!doctype html>|</.*?>", "", text))
    assert " style=" not in text, "no hash lets that in"


@pytest.mark.parametrize("page", PAGES)
def test_everybody_can_read_it(page: Page) -> None:
    tags = Tags(page)
    attributes = dict(tags.tags)
    assert attributes["html"] == {"lang": "en"}
    assert attributes["link"] == {"rel": "icon", "href": "data:,"}, "or a browser asks for one"
    assert attributes["meta"]
    assert tags.names.count("h1") == tags.names.count("main") == tags.names.count("title") == 1
    assert b"prefers-reduced-motion" in page.content


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(
    ("front", "back"),
    [("text", "card"), ("soft", "card"), ("mark", "card"), ("on-mark", "mark")],
)
def test_contrast(front: str, back: str) -> None:
    """WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1, in the light and in the dark."""
    schemes = re.findall(rb":root \{(.*?)\}", WAITING_PAGE.content, re.DOTALL)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): #(\w+)", scheme.decode()))
        light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_the_wait_may_be_for_one_that_is_paused() -> None:
    assert b"paused" in WAITING_PAGE.content
