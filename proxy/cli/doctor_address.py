"""Which address ``labgate doctor`` examines where none was named: the labgate that runs here.

Tested by tests/cli/test_doctor_address.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy.admin.client import AdminClient, NotRunning
from proxy.doctor.target import Target, read_target
from proxy.errors import StartError, UsageError
from proxy.jupyter.login_token import TOKEN_FILE_NAME
from proxy.net.upstream_address import parse_upstream

DEFAULT_URL = "https://localhost:8443"
"""Where ``labgate up`` serves without any option."""


@dataclass(frozen=True, slots=True)
class FoundAddress:
    """What to examine.

    Attributes:
        url: The address.
        said: Why this one, in a sentence.
        runs: Whether a labgate runs here; if not, nothing may be there.
        authority: The development CA of this labgate, if it has made one.
        token_file: The file with the token of the Jupyter that it launched.
        facts: What it knows of its Jupyter, for mends (``symptoms.model.mend``).
    """

    url: str
    said: str
    runs: bool
    authority: Path | None = None
    token_file: Path | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


async def find_address(state_folder: Path) -> FoundAddress:
    """The address of the labgate with this state folder; the default one if none runs.

    Raises:
        StartError: One runs, and may not be asked.
        UsageError: It has several Jupyters, and none at the site itself.
    """
    authority = state_folder / "ca.pem"
    known = authority if _is_there(authority) else None
    try:
        async with AdminClient.connect(state_folder) as client:
            about = (await client.get("state"))["about"]
    except NotRunning:
        said = f"no labgate with the state folder {state_folder} runs, so it is {DEFAULT_URL}"
        return FoundAddress(DEFAULT_URL, f"No address was given, and {said}.", False, known)
    url = _only_address(about["site"], about.get("routes", []))
    token_file = state_folder / TOKEN_FILE_NAME if about["own_token"] else None
    said = f"No address was given; the labgate that runs here serves {url}"
    if token_file is not None:
        said += f", and its Jupyter's token is in {token_file}"
    return FoundAddress(url, f"{said}.", True, known, token_file, _facts(about))


async def facts_of_running(state_folder: Path, target: Target) -> dict[str, str]:
    """What the labgate with this state folder knows of the Jupyter at an address.

    Args:
        state_folder: Its folder.
        target: What is examined; nothing is known if that is not what it serves.
    """
    try:
        async with AdminClient.connect(state_folder) as client:
            about = (await client.get("state"))["about"]
    except StartError:
        return {}
    return _facts(about) if read_target(about["site"])[0].authority == target.authority else {}


def _facts(about: Mapping[str, Any]) -> dict[str, str]:
    facts = {"launched": "yes"} if about.get("launched") else {}
    with suppress(UsageError):
        upstream = parse_upstream(about.get("upstream", ""))
        if upstream.path is None and not about.get("routes"):
            facts["upstream"] = upstream.origin.spelled_out
    return facts


def _only_address(site: str, routes: list[str]) -> str:
    """The site, or the one route that is there instead.

    Raises:
        UsageError: There are several.
    """
    if len(routes) > 1:
        first, *others = routes
        raise UsageError(
            f"This labgate has several Jupyters; name one: labgate doctor {first} "
            f"(the others: {', '.join(others)})."
        )
    return routes[0] if routes else site


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:
        return False
