"""What follows from the configuration and the command together.

Tested by tests/service/test_upstream_choice.py.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.net.ports import Ports
from proxy.net.upstream_address import DEFAULT_UPSTREAM, UpstreamAddress


def upstream_of(settings: Settings, *, launches: bool) -> UpstreamAddress | None:
    """Where the site's Jupyter is; None if labgate launches it, or if all are in ``[[routes]]``.

    Args:
        settings: The configuration.
        launches: Whether the command is ``up``.

    Raises:
        UsageError: The configuration is not one for the command.
        StartError: A file of the upstream's TLS cannot be used.
    """
    url = settings.upstream.url
    if not settings.site_has_jupyter:
        if launches:
            raise UsageError(
                "[[routes]] names the Jupyters, and `up` would launch one more: `labgate serve` "
                "serves those in the file. To have one more at site.domains, write "
                'jupyter.launch = "auto".'
            )
        return None
    if not launches and not url:
        raise UsageError(
            "serve needs to know where Jupyter is: --upstream http://127.0.0.1:8888 "
            "(or upstream.url, LABGATE_UPSTREAM__URL). `labgate up` launches one."
        )
    if launches and settings.jupyter.launch != "none":
        if url and "launch" in settings.jupyter.model_fields_set:
            raise UsageError(
                "upstream.url names a Jupyter that runs already, and jupyter.launch launches "
                "another: leave upstream.url out, or leave jupyter.launch out and use `labgate "
                "serve`."
            )
        if url:
            raise UsageError(
                "upstream.url names a Jupyter that runs already, and `up` would launch another: "
                "add --launch none, or use `labgate serve`."
            )
        return None
    address = settings.upstream.address if url else DEFAULT_UPSTREAM
    address.check()
    return address


def writes_access_log(settings: Settings, *, launches: bool) -> bool:
    """Whether there is an access log; by default only ``serve`` has one."""
    if settings.log.access is not None:
        return settings.log.access
    # --show-headers prints every exchange already.
    return not launches and not settings.log.show_headers


def configured_ports(settings: Settings) -> dict[str, int]:
    """The public ports by the names of their sockets; 0 for none."""
    return {"https": settings.https_port if settings.listen.tls else 0, "http": settings.http_port}


def named_ports(settings: Settings, opened: Sequence[Ports]) -> list[tuple[str, socket.socket]]:
    """The open sockets, each with its name and the configured port, as ``https:443``."""
    names = ("https", "http") if settings.listen.tls else ("http", "http")
    main, plain = (f"{name}:{configured_ports(settings)[name]}" for name in names)
    by_descriptor: dict[int, tuple[str, socket.socket]] = {}
    for ports in opened:
        by_descriptor |= {one.fileno(): (main, one) for one in ports.main}
        by_descriptor |= {one.fileno(): (plain, one) for one in ports.plain}
    return list(by_descriptor.values())
