"""The options of ``labgate up`` and ``labgate serve``.

Tested by tests/cli/test_arguments.py.
"""

from __future__ import annotations

from typing import Any

from proxy.cli.cert_options import add_acme_options
from proxy.cli.parser import Key, Parser, add_command

UP = """\
Launch Jupyter and serve it until Ctrl-C.

Without arguments: https://localhost:8443 (http://localhost:8080 redirects
there), a development certificate, Jupyter in a container when a Docker Engine
answers, otherwise as a local process. With --domain: ports 443 and 80, and
certbot's certificates, or with --email one that labgate obtains and renews by
itself."""

CHECK = """\
Look at all that `labgate up` and `labgate serve` need, with the same options: file,
environment and flags, certificates, ports, permissions, DNS, the Docker Engine or
the upstream. Every fault is named at once; exit code 1 if there is one. Nothing is
changed, and a labgate that runs is not disturbed."""

SERVE = """\
Serve a Jupyter that runs already: a sidecar, or one you start yourself."""


def add_up(commands: Any) -> None:
    """``labgate up``."""
    command = add_command(commands, "up", "launch Jupyter and serve it", UP)
    _add_take_over(command)
    add_serving_options(command)


def add_check(commands: Any) -> None:
    """``labgate check``."""
    short = "find what would keep labgate from serving"
    command = add_command(commands, "check", short, CHECK)
    command.add_argument(
        "--show",
        action="store_true",
        help="print every value in force and where it comes from; no secret",
    )
    _add_take_over(command)
    add_serving_options(command)


def add_serving_options(command: Parser) -> None:
    """All options of ``labgate up``, which include those of ``serve``."""
    launching = command.add_argument_group("Jupyter")
    key = launching.add_argument
    launch = ("auto", "docker", "process", "none")
    key("--launch", action=Key, key="jupyter.launch", choices=launch, help="how to run Jupyter")
    key("--image", action=Key, key="jupyter.image", help="the container's image")
    key("--name", action=Key, key="jupyter.name", help="the container's name (default jupyter)")
    volume = "NAME_OR_PATH:/IN/CONTAINER"
    key(
        "--volume",
        action=Key,
        key="jupyter.volume",
        metavar=volume,
        help="where the work folder is kept; '' for the home alone (default: volume NAME-work)",
    )
    key(
        "--home",
        action=Key,
        key="jupyter.home",
        metavar=volume,
        help="where Jupyter's home folder is kept (default: volume NAME-home)",
    )
    key(
        "--password",
        action=Key,
        key="jupyter.password",
        metavar="HASH",
        help="as `labgate password` prints it; without one a token is made",
    )
    key(
        "--user",
        action=Key,
        key="jupyter.user",
        metavar="UID[:GID]",
        help="the user that Jupyter runs as in the container (default: the image's)",
    )
    key(
        "--memory-limit",
        action=Key,
        key="jupyter.memory_limit",
        metavar="4g",
        help="the container's memory (default: no limit)",
    )
    key(
        "--recreate",
        action=Key,
        key="jupyter.recreate",
        value=True,
        help="replace a container that differs without asking, even with busy kernels in it",
    )
    key("--folder", action=Key, key="jupyter.folder", help="the work folder of a local process")
    key(
        "--upstream",
        action=Key,
        key="upstream.url",
        metavar="URL",
        help="a Jupyter that runs already, with --launch none (default http://127.0.0.1:8888)",
    )
    _shared(command)


def add_serve(commands: Any) -> None:
    """``labgate serve``."""
    command = add_command(commands, "serve", "serve a Jupyter that runs already", SERVE)
    _add_take_over(command)
    command.add_argument(
        "--upstream",
        action=Key,
        key="upstream.url",
        metavar="URL",
        help="http://host:port, https:// or unix:/path; a path is Jupyter's base_url",
    )
    _shared(command)


def _add_take_over(command: Parser) -> None:
    command.add_argument(
        "--take-over",
        action="store_true",
        help="take over from the labgate that runs: no request is lost, WebSockets stay with it",
    )


def _shared(command: Parser) -> None:
    """The options of ``serve``, which ``up`` has, too."""
    public = command.add_argument_group("public side")
    key = public.add_argument
    key(
        "--domain",
        action=Key,
        key="site.domains",
        repeat=True,
        metavar="NAME[:PORT]",
        help="public name; may be repeated, the first is canonical; PORT if browsers see another",
    )
    key(
        "--bind",
        action=Key,
        key="listen.bind",
        repeat=True,
        metavar="ADDRESS",
        help="address to listen on; may be repeated",
    )
    key(
        "--https-port",
        action=Key,
        key="listen.https_port",
        metavar="PORT",
        help="default 443, or 8443 for localhost",
    )
    key(
        "--http-port",
        action=Key,
        key="listen.http_port",
        metavar="PORT",
        help="redirects to HTTPS; default 80, or 8080 for localhost; 0: none",
    )
    key(
        "--no-tls",
        action=Key,
        key="listen.tls",
        value=False,
        help="plain HTTP here, behind an ingress that terminates TLS",
    )
    key(
        "--metrics",
        action=Key,
        key="listen.metrics",
        metavar="HOST:PORT",
        help="serve metrics for Prometheus there (default: nowhere)",
    )
    key("--workers", action=Key, key="listen.workers", metavar="N", help="processes (default 1)")
    key("--cert", action=Key, key="tls.cert", repeat=True, metavar="FILE", help="certificate chain")
    key("--key", action=Key, key="tls.key", repeat=True, metavar="FILE", help="its private key")
    add_acme_options(public)
    key(
        "--webroot",
        action=Key,
        key="acme.webroot",
        metavar="FOLDER",
        help="serve the challenges that certbot puts there",
    )
    key(
        "--rewrite",
        action=Key,
        key="site.rewrite",
        choices=("rewrite", "preserve"),
        help="Host, Origin and Referer: rewrite them to the upstream, or pass them through",
    )
    key(
        "--no-cache",
        action=Key,
        key="cache.enabled",
        value=False,
        help="ask Jupyter for every static file, and keep none",
    )
    entry = command.add_argument_group("who gets in")
    key = entry.add_argument
    key(
        "--htpasswd",
        action=Key,
        key="access.htpasswd",
        metavar="FILE",
        help="ask for a user and password of this file in front of everything",
    )
    key(
        "--allow",
        action=Key,
        key="access.allow",
        repeat=True,
        metavar="CIDR",
        help="only these addresses get in; may be repeated (default: everybody)",
    )
    key(
        "--trusted-proxy",
        action=Key,
        key="access.trusted_proxies",
        repeat=True,
        metavar="CIDR",
        help="a proxy in front whose X-Forwarded-For is believed; may be repeated",
    )
    key(
        "--proxy-protocol",
        action=Key,
        key="access.proxy_protocol",
        value=True,
        help="the trusted proxies speak the PROXY protocol, version 1 or 2",
    )
    output = command.add_argument_group("output")
    output.add_argument(
        "--show-headers",
        action=Key,
        key="log.show_headers",
        value=True,
        help="print what was done to every header, secrets redacted",
    )
    output.add_argument(
        "--only",
        action=Key,
        key="log.show_headers_only",
        choices=("all", "errors"),
        help="with --show-headers: only what failed or was refused",
    )
    output.add_argument(
        "--filter",
        action=Key,
        key="log.show_headers_filter",
        metavar="WORDS",
        help='with --show-headers: only these, as "status:4xx path:/api"',
    )
    output.add_argument(
        "--inspect",
        action=Key,
        key="inspector.enabled",
        value=True,
        help="capture from the start; `labgate inspect` shows it",
    )
    output.add_argument(
        "--access-log",
        action=Key,
        key="log.access",
        value=True,
        help="one line a request (on by default for serve)",
    )
