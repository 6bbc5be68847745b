"""The exceptions of labgate, and what each becomes.

::

    LabgateError
    ├── StartError            what was asked for is not possible: exit code 1
    │   └── UsageError        what was asked for is not well-formed: exit code 2
    ├── ClientFault           a request's content is malformed or too slow: a 4xx of its own
    └── UpstreamError         no usable response from Jupyter: a status from STATUS_OF
        ├── UpstreamDown      refused, unreachable, or closed before it sent a byte
        ├── UpstreamRemoved   a reload has removed its route
        ├── UpstreamSilent    it takes requests and responds to none
        ├── UpstreamTimeout   a configured limit ran out
        └── UpstreamGarbage   a response that is not HTTP, or not one to what was asked

An ``UpstreamError`` that occurs after the response head was sent cannot become a
status any more: the client's connection is aborted, so that it sees the truncation
(RFC 9112 section 8).

Tested by tests/proxying/test_errors.py and tests/cli/test_command.py.
"""

from __future__ import annotations


class LabgateError(Exception):
    """Anything labgate itself reports."""


class StartError(LabgateError):
    """One or two sentences: what is wrong, and the remedy."""

    exit_code = 1


class UsageError(StartError):
    """The command line or the configuration is not well-formed."""

    exit_code = 2


class ClientFault(LabgateError):  # noqa: N818  reads as what happened
    """The client's content went wrong after its head was accepted."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class UpstreamError(LabgateError):
    """Jupyter gave no usable response."""


class UpstreamDown(UpstreamError):  # noqa: N818  reads as what happened, like TimeoutError's kin
    """The upstream could not be reached, or closed before it sent a byte."""


class UpstreamRemoved(UpstreamError):  # noqa: N818
    """A reload has removed the route: nothing is out of order, and a retry finds no upstream."""


class UpstreamSilent(UpstreamError):  # noqa: N818
    """The upstream accepts requests and responds to none, not even to a probe."""


class UpstreamTimeout(UpstreamError):  # noqa: N818
    """The upstream kept silent for longer than a configured limit."""


class UpstreamGarbage(UpstreamError):  # noqa: N818
    """The upstream's bytes are not a response to the request."""


STATUS_OF: dict[type[UpstreamError], int] = {
    UpstreamDown: 503,
    UpstreamRemoved: 503,
    UpstreamSilent: 503,
    UpstreamTimeout: 504,
    UpstreamGarbage: 502,
}
"""503, not 502, for an upstream that is down: JupyterLab tries again after a 503, but
declares the kernel dead after 502 and 504."""
