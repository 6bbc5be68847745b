"""The commands and options; every option is a key of the configuration."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from proxy import __version__
from proxy.cli.parser import Key, Parser

SERVERS = ("nginx", "caddy", "traefik", "haproxy", "apache", "jupyter", "labgate")
"""Whose lines ``labgate doctor`` can show."""

UP = """\
Launch Jupyter and serve it until Ctrl-C.

Without arguments: https://localhost:8443 (http://localhost:8080 redirects
there), a development certificate, Jupyter in a container when a Docker Engine
answers, otherwise as a local process. With --domain: ports 443 and 80, and
certbot's certificates, or with --email one that labgate obtains and renews by
itself."""

SERVE = """\
Serve a Jupyter that runs already: a sidecar, or one you start yourself."""


INSPECT = """\
Show the requests of the labgate that runs with the same state folder, as they
come, and print the address of its page. NUMBER shows one of them, whole.

With --upstream: a bench of its own. It serves that Jupyter, or a proxy before
it, on http://localhost:8080, lets every request through as it came, and says
which ones labgate would have refused, and why Jupyter refuses what it does."""


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line; ``flags`` holds the configuration's part, ``typed`` its options.

    Exits with 2, a sentence and a usage line for what cannot be read.
    """
    parser = Parser(
        prog="labgate", description="Puts a Jupyter server on its own domain with one command."
    )
    parser.add_argument("--version", action="version", version=f"labgate {__version__}")
    commands = parser.commands("command", "COMMAND")
    _up(_command(commands, "up", "launch Jupyter and serve it", UP))
    _serve(_command(commands, "serve", "serve a Jupyter that runs already", SERVE))
    _inspect(_command(commands, "inspect", "see every request of a running labgate", INSPECT))
    _cert(commands)
    _doctor(commands)
    password = commands.add_parser("password", help="ask for a passphrase, print Jupyter's hash")
    password.add_argument(
        "--htpasswd",
        metavar="USER",
        help="print an htpasswd line for labgate's own login instead: USER:HASH",
    )
    password.set_defaults(flags={}, typed={})
    return parser.read(sys.argv[1:] if arguments is None else arguments)


def _command(commands: Any, name: str, short: str, text: str) -> Parser:
    command: Parser = commands.add_parser(
        name, help=short, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command.set_defaults(flags={}, typed={})
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML file (default /etc/labgate/labgate.toml)"
    )
    return command


def _up(command: Parser) -> None:
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


def _serve(command: Parser) -> None:
    command.add_argument(
        "--upstream",
        action=Key,
        key="upstream.url",
        metavar="URL",
        help="http://host:port or unix:/path; a path is Jupyter's base_url",
    )
    _shared(command)


def _inspect(command: Parser) -> None:
    add = command.add_argument
    add("number", nargs="?", type=int, metavar="NUMBER", help="only this one, whole")
    add("--filter", default="", metavar="WORDS", help='as "status:4xx path:/api rule:origin is:ws"')
    add("--only", choices=("errors",), help="only what failed or was refused")
    add("--json", action="store_true", help="one exchange a line, for jq")
    add("--content", action="store_true", help="capture bodies and messages too")
    add("--off", action="store_true", help="switch the capture off, and end")
    add(
        "--upstream",
        action=Key,
        key="upstream.url",
        metavar="URL",
        help="serve this one on loopback and observe; http://host:port or unix:/path",
    )
    add(
        "--port",
        action=Key,
        key="listen.http_port",
        metavar="PORT",
        help="of that bench (default 8080)",
    )


def _cert(commands: Any) -> None:
    text = "The certificates: show, obtain and renew them."
    cert = commands.add_parser("cert", help="show, obtain and renew certificates", description=text)
    actions = cert.commands("action", "ACTION")
    text = """\
Show every certificate: names, issuer, expiry, where it comes from, what is
wrong.

Tells what the running labgate of the same configuration serves, or what is in
the files. Exit code 1 when a certificate has expired or is missing."""
    show = _command(actions, "show", "what is in service", text)
    _certificates(show)
    _acme(show)
    text = """\
Obtain a certificate by ACME for every name, unless there is one, and tell each
step.

The CA asks for a proof at each name, on port 80 or 443. A running labgate with
the same state folder answers it; without one this command does, on the
configured ports. `labgate up` and `labgate serve` with --email do all of this
by themselves."""
    _obtaining(_command(actions, "obtain", "obtain one by ACME", text))
    text = """\
Renew the certificate that was obtained by ACME, if it is due. A running labgate
does so by itself, and puts a new one into service within seconds, whoever
obtained it."""
    renew = _command(actions, "renew", "renew one obtained by ACME", text)
    renew.add_argument("--force", action="store_true", help="now, due or not (CAs count it)")
    _obtaining(renew)


def _doctor(commands: Any) -> None:
    text = """\
Find out why a Jupyter behind any proxy refuses requests: labgate, nginx, Caddy,
Traefik, HAProxy, Apache.

It asks as a browser would, names what is wrong, Jupyter's check or the proxy's
setting behind it, and prints the lines that mend it. A kernel, a terminal and a
file that it makes are removed again. Exit code 0 if nothing is wrong, 1 if
something is.

The token or the password is asked for when it is needed, and sent to this
address only. In scripts: --token-file, or LABGATE_DOCTOR_TOKEN or
LABGATE_DOCTOR_PASSWORD in the environment."""
    command: Parser = commands.add_parser(
        "doctor",
        usage="%(prog)s URL [OPTION …]",
        help="find out why a proxy breaks Jupyter",
        description=text,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(flags={}, typed={})
    option = command.add_argument
    option("url", metavar="URL", help="the address that you open in a browser")
    option(
        "--upstream", metavar="URL", help="Jupyter's own address: asks it directly, and compares"
    )
    option("--token", metavar="TOKEN", help="can be seen by others on this machine")
    option("--token-file", type=Path, metavar="FILE", help="a file with the token")
    option("--password", action="store_true", help="ask for the password (from a pipe: its line)")
    option("--password-file", type=Path, metavar="FILE", help="a file with the password")
    option("--long", action="store_true", help="also 70 s of silence on a WebSocket")
    option("--insecure", action="store_true", help="trust any certificate")
    option("--ca", type=Path, metavar="FILE", help="trust this CA, too")
    option(
        "--http-port",
        type=int,
        metavar="PORT",
        help="the port of plain HTTP that redirects to HTTPS (default 80, if HTTPS is on 443)",
    )
    option("--json", action="store_true", help="print JSON")
    option(
        "--mend-for",
        choices=(*SERVERS, "all"),
        default="",
        metavar="SERVER",
        help="nginx, caddy, traefik, haproxy, apache, jupyter, labgate or all (default: the one "
        "that answers)",
    )


def _obtaining(command: Parser) -> None:
    key = command.add_argument
    name = "NAME[:PORT]"
    key("--domain", action=Key, key="site.domains", repeat=True, metavar=name, help="repeatable")
    _acme(command)
    key(
        "--bind",
        action=Key,
        key="listen.bind",
        repeat=True,
        metavar="ADDRESS",
        help="listen there; repeatable",
    )
    key("--https-port", action=Key, key="listen.https_port", metavar="PORT", help="443")
    key("--http-port", action=Key, key="listen.http_port", metavar="PORT", help="80; 0: none")


def _acme(group: Any) -> None:
    key = group.add_argument
    key(
        "--email",
        action=Key,
        key="acme.email",
        metavar="ADDRESS",
        help="obtain and renew the certificate by ACME; agrees to the CA's terms of service",
    )
    key(
        "--acme-directory",
        action=Key,
        key="acme.directory",
        metavar="URL",
        help="the CA (default Let's Encrypt; `staging`: its trials)",
    )


def _certificates(command: Parser) -> None:
    """The flags that say which certificates."""
    key = command.add_argument
    name = "NAME[:PORT]"
    key("--domain", action=Key, key="site.domains", repeat=True, metavar=name, help="repeatable")
    key("--cert", action=Key, key="tls.cert", repeat=True, metavar="FILE", help="certificate chain")
    key("--key", action=Key, key="tls.key", repeat=True, metavar="FILE", help="its private key")


def _shared(command: Parser) -> None:
    public = command.add_argument_group("public side")
    key = public.add_argument
    key(
        "--domain",
        action=Key,
        key="site.domains",
        repeat=True,
        metavar="NAME[:PORT]",
        help="public name; repeatable, the first is canonical; PORT where something maps the port",
    )
    key(
        "--bind",
        action=Key,
        key="listen.bind",
        repeat=True,
        metavar="ADDRESS",
        help="listen there; repeatable",
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
    _acme(public)
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
        help="repeatable; only these addresses get in (default: everybody)",
    )
    key(
        "--trusted-proxy",
        action=Key,
        key="access.trusted_proxies",
        repeat=True,
        metavar="CIDR",
        help="repeatable; a proxy in front whose X-Forwarded-For is believed",
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
        help='with --show-headers: as "status:4xx path:/api"',
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
