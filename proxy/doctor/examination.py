"""The state of one run: what the probes know of each other.

Tested by tests/doctor/test_secrets.py and tests/doctor/test_servers.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from .answer import Answer
from .belongings import Belongings, Leftover
from .browser import Browser
from .finding import Finding
from .kernel_channel import KernelChannel

LONG_SILENCE_SECONDS = 70.0
"""A little more than the 60 s after which nginx and many others end a connection."""


class Impossible(Exception):  # noqa: N818  reads as what happened
    """A probe cannot be run here, and so none that needs it: why, in words."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What logs in; both may be empty."""

    token: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def secret(self) -> str:
        """What belongs into the login form: Jupyter takes its token there, too."""
        return self.password or self.token


@dataclass(slots=True)
class Examination:
    """One run against one address.

    Attributes:
        direct: Jupyter itself, without the proxy; None if its address was not given.
        plain_http: The port that redirects to HTTPS; None if it is not to be looked at.
        trusted: Whether certificates are checked.
        ask: Asks for a token or a password that was not given; None if nobody can answer.
        silence_seconds: How long to be silent on a WebSocket; 0 to leave that out.
        upload_bytes: The length of the upload and of the download.
        facts: What is known of this Jupyter beside what is examined, for mends
            (``symptoms.model.mend``).
        needs_login: Whether Jupyter asks strangers for a login.
        login: The answer that set the login cookie.
        lab: The page of JupyterLab, or of the classic interface.
        channel: The kernel's WebSocket.
        language: The kernel's language, as ``python``.
        has_terminal: Whether the terminal is there.
        saved: Whether the file is there.
        open_to_others: Whether pages of other sites are not refused.
        besides: What the running probe found beside what it returns.
        removing: Whether what was made is being removed: a cancellation would leave it there.
        at_once: Whether to end without removing it.
        left: What was made in Jupyter and could not be removed.
    """

    browser: Browser
    credentials: Credentials
    direct: Browser | None = None
    plain_http: int | None = None
    trusted: bool = True
    ask: Callable[[], Awaitable[str]] | None = None
    silence_seconds: float = 0
    upload_bytes: int = 50_000_000
    facts: Mapping[str, str] = field(default_factory=dict)
    belongings: Belongings = field(init=False)
    needs_login: bool = True
    login: Answer = field(default_factory=lambda: Answer(""))
    lab: Answer = field(default_factory=lambda: Answer(""))
    channel: KernelChannel | None = None
    language: str = ""
    has_terminal: bool = False
    saved: bool = False
    open_to_others: bool = False
    besides: list[Finding] = field(default_factory=list)
    removing: bool = False
    at_once: bool = False
    left: list[Leftover] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.belongings = Belongings(self.browser)
        self.know(self.credentials)

    def know(self, credentials: Credentials) -> None:
        """Use these from now on; they are never shown."""
        self.credentials = credentials
        for browser in (self.browser, self.direct):
            if browser is not None:
                browser.secrets.add(credentials.token)
                browser.secrets.add(credentials.password)

    @property
    def origin(self) -> str:
        return self.browser.target.origin


class ProbeFunction(Protocol):
    """Tries one thing; returns what is wrong, or None.

    Raises:
        Impossible: It cannot be tried here.
    """

    async def __call__(self, examination: Examination, /) -> Finding | None: ...
