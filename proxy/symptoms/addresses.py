"""Symptoms of an address behind which Jupyter does not answer, or lets nobody in.

Part of ``table``. Tested by tests/symptoms/test_model.py.
"""

from __future__ import annotations

from .symptom import Severity, Symptom

OF_THE_ADDRESS = (
    Symptom(
        "unreachable",
        Severity.ERROR,
        "Nothing answers at this address",
        "DNS, a firewall, or the proxy's listen address (nginx: listen, server_name)",
    ),
    Symptom(
        "tls-expected",
        Severity.ERROR,
        "HTTPS is spoken at this address, and not plain HTTP",
        "the scheme of the address (nginx answers 400: The plain HTTP request was sent to HTTPS "
        "port)",
    ),
    Symptom(
        "not-jupyter",
        Severity.ERROR,
        "What answers at this address is no Jupyter",
        "Jupyter tells everybody its version at /api; the address is that of another server, or "
        "the proxy leads to one (nginx: proxy_pass, location)",
    ),
    Symptom(
        "certificate",
        Severity.ERROR,
        "Browsers do not trust the certificate",
        "the certificate, its chain, names and dates (nginx: ssl_certificate wants fullchain.pem)",
    ),
    Symptom(
        "host-refused",
        Severity.ERROR,
        "Jupyter refuses the Host field that the proxy sends",
        "JupyterHandler.check_host: a loopback address, or a name in ServerApp.local_hostnames, "
        "unless ServerApp.allow_remote_access",
    ),
    Symptom(
        "host-not-served",
        Severity.ERROR,
        "The Host field that arrives is refused by labgate, and not by Jupyter",
        "site.domains of labgate (--domain): Host must be one of them, with its port; answers 421",
    ),
    Symptom(
        "origin-not-served",
        Severity.ERROR,
        "The Origin of its own page is refused by labgate, and not by Jupyter",
        "site.domains of labgate (--domain): Origin must be one of them, with its port, and its "
        "scheme; answers 403",
    ),
)
"""In the order in which they are met."""
