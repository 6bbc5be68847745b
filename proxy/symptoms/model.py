"""The symptoms and their mends: what ``labgate doctor`` and the inspector tell of.

Tested by tests/symptoms/test_model.py and tests/symptoms/test_mends.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from proxy.rules.networks import parse_address

from .mends import LINES, filled
from .mends.jupyter import BESIDE_A_PROXY, PUBLIC_NAME
from .mends.labgate import BEHIND_A_PROXY, LAUNCHED, PORT, TLS_FILES
from .symptom import Severity, Symptom
from .table import SYMPTOMS

__all__ = ["SYMPTOMS", "Severity", "Symptom", "joined", "mend"]


def mend(id: str, facts: Mapping[str, str]) -> dict[str, str]:  # noqa: A002
    """Lines to paste, by the name of the server they are for.

    Args:
        id: The identifier of a symptom.
        facts: What is known: ``domain`` (the public name), ``port`` (the public one),
            ``upstream`` (Jupyter's address as the proxy dials it, HOST:PORT) and ``path``
            (Jupyter's base_url). What is not known is filled in as an example. ``scheme`` (the
            public one), ``unknown_name`` (one that leads to no address) and ``launched`` (by
            labgate: Jupyter) choose the lines; so does ``login``: with ``form``, no proxy can have
            taken the token away, and there is nothing to paste.

    Returns:
        Only the servers that can cause it. ``jupyter`` stands for jupyter_server_config.py.

    Raises:
        KeyError: There is no such symptom.
    """
    SYMPTOMS[id]
    wanted = {server: lines[id] for server, lines in LINES.items() if id in lines}
    if wanted.get("jupyter") == PUBLIC_NAME and facts.get("domain") in _KNOWN_TO_JUPYTER:
        del wanted["jupyter"]
    if id == "unreachable":
        if facts.get("unknown_name") or facts.get("scheme") == "http":
            return {}
        if _is_loopback(facts.get("domain", "")):
            wanted["labgate"] = PORT
    if id == "login-refused" and facts.get("login") == "form":
        return {}
    if id == "upstream-down" and facts.get("launched"):
        wanted["labgate"] = LAUNCHED
    if id == "certificate" and not _is_public(facts.get("domain", "")):
        wanted["labgate"] = TLS_FILES
    return {server: filled(lines, facts) for server, lines in wanted.items()}


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine, as a local name or as an address."""
    address = _address(host)
    return _is_local(host) if address is None else address.is_loopback


def _is_public(host: str) -> bool:
    """Whether ACME may certify a host: it is neither a local name nor an address."""
    return _address(host) is None and not _is_local(host)


def _is_local(name: str) -> bool:
    return f".{name.lower().rstrip('.')}".endswith(".localhost")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    return parse_address(host.strip("[]"))


def joined(id: str, server: str) -> str:  # noqa: A002
    """How the lines of a server go with those of others; empty for a proxy's own.

    ``Or …`` where one of them is enough, ``And …`` where both are needed; the name of the file
    follows.
    """
    if server == "labgate":
        return BEHIND_A_PROXY.get(id, "")
    return BESIDE_A_PROXY[id] if server == "jupyter" else ""


_KNOWN_TO_JUPYTER = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names that Jupyter serves without a word (``JupyterHandler.check_host``)."""
