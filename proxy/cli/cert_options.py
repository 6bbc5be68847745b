"""The options of ``labgate cert``, and of ACME.

Tested by tests/cli/test_arguments.py.
"""

from __future__ import annotations

from typing import Any

from proxy.cli.parser import Key, Parser, add_command


def add_cert(commands: Any) -> None:
    """``labgate cert`` and its actions."""
    text = "The certificates: show, obtain and renew them."
    cert = commands.add_parser("cert", help="show, obtain and renew certificates", description=text)
    actions = cert.commands("action", "ACTION")
    text = """\
Show every certificate: names, issuer, expiry, where it comes from, what is
wrong.

Tells what the running labgate of the same configuration serves, or what is in
the files. Exit code 1 when a certificate has expired or is missing."""
    show = add_command(actions, "show", "show the certificates in service", text)
    _certificates(show)
    add_acme_options(show)
    text = """\
Obtain a certificate by ACME for every name, unless there is one, and tell each
step.

The CA asks for a proof at each name, on port 80 or 443. A running labgate with
the same state folder answers it; without one this command does, on the
configured ports. `labgate up` and `labgate serve` with --email do all of this
by themselves."""
    _obtaining(add_command(actions, "obtain", "obtain a certificate by ACME", text))
    text = """\
Renew the certificate that was obtained by ACME, if it is due. A running labgate
does so by itself, and puts a new one into service within seconds, whoever
obtained it."""
    renew = add_command(actions, "renew", "renew a certificate obtained by ACME", text)
    renew.add_argument(
        "--force", action="store_true", help="renew it though it is not due; CAs limit how often"
    )
    _obtaining(renew)


def _obtaining(command: Parser) -> None:
    key = command.add_argument
    name = "NAME[:PORT]"
    key(
        "--domain",
        action=Key,
        key="site.domains",
        repeat=True,
        metavar=name,
        help="public name; may be repeated",
    )
    add_acme_options(command)
    key(
        "--bind",
        action=Key,
        key="listen.bind",
        repeat=True,
        metavar="ADDRESS",
        help="address to listen on; may be repeated",
    )
    key("--https-port", action=Key, key="listen.https_port", metavar="PORT", help="default 443")
    key(
        "--http-port",
        action=Key,
        key="listen.http_port",
        metavar="PORT",
        help="default 80; 0: none",
    )


def add_acme_options(group: Any) -> None:
    """What obtains a certificate by ACME."""
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
        help="the CA (default Let's Encrypt; `staging`: its CA for tests)",
    )


def _certificates(command: Parser) -> None:
    """The flags that say which certificates."""
    key = command.add_argument
    name = "NAME[:PORT]"
    key(
        "--domain",
        action=Key,
        key="site.domains",
        repeat=True,
        metavar=name,
        help="public name; may be repeated",
    )
    key("--cert", action=Key, key="tls.cert", repeat=True, metavar="FILE", help="certificate chain")
    key("--key", action=Key, key="tls.key", repeat=True, metavar="FILE", help="its private key")
