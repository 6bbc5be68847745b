"""What a CA's errors mean, and the remedy: one table from ACME problem types to sentences."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from proxy.errors import StartError

PREFIX = "urn:ietf:params:acme:error:"
MAX_DETAIL_CHARS = 300
MAX_CLOCK_SKEW = timedelta(minutes=5)
"""Clocks that differ by more than this are mentioned in errors."""


class ObtainError(StartError):
    """A certificate was not obtained: what is wrong, and the remedy.

    Attributes:
        not_before: The earliest next attempt, from the CA; None if it did not say.
    """

    def __init__(self, sentence: str, not_before: datetime | None = None) -> None:
        super().__init__(sentence)
        self.not_before = not_before


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document of the CA (RFC 7807), as far as it matters here.

    Attributes:
        code: Its type, without ``urn:ietf:params:acme:error:``.
        detail: The CA's description.
        name: The name it is about, if it is about one.
        challenge: The challenge that failed, if one did: ``http-01`` or ``tls-alpn-01``.
    """

    code: str
    detail: str = ""
    name: str = ""
    challenge: str = ""


_PORTS = {"http-01": "port 80", "tls-alpn-01": "port 443"}

_UNREACHABLE = (
    "The CA could not connect to {name} on {port} ({detail}). Make sure that the A and AAAA "
    "records of {name} hold this machine's public addresses and nothing else, and that {port} "
    "is open to the world and forwarded to labgate."
)

SENTENCES: dict[str, str] = {
    "accountDoesNotExist": (
        "The CA does not know the account in {account} ({detail}). Remove that folder; labgate "
        "then registers a new one."
    ),
    "alreadyReplaced": (
        "The CA says that this certificate was renewed already ({detail}). Another machine uses "
        "a copy of this state folder: give each its own."
    ),
    "badCSR": (
        "The CA does not accept this request for {name} ({detail}). Check the names in "
        "site.domains, and acme.profile."
    ),
    "badNonce": (
        "The CA rejected every nonce it gave out ({detail}). Try again later; if it stays, ask "
        "whoever runs {directory}."
    ),
    "badPublicKey": (
        "The CA does not accept the account's key ({detail}). Remove {account}; labgate then "
        "makes a new one."
    ),
    "badSignatureAlgorithm": (
        "The CA does not take ECDSA signatures ({detail}). Choose another with acme.directory."
    ),
    "caa": (
        "The CAA records of {name} forbid this CA to issue ({detail}). Add the DNS record "
        '`{name}. CAA 0 issue "{caa}"`, or choose the CA they name with acme.directory.'
    ),
    "connection": _UNREACHABLE,
    "dns": (
        "The CA finds no usable address of {name} in DNS ({detail}). Add an A record (and an "
        "AAAA record if there is IPv6) with this machine's public address, then wait until it "
        "is known everywhere."
    ),
    "dnssec": (
        "The CA cannot validate the DNSSEC signatures of {name} ({detail}). Have the zone "
        "signed anew by whoever runs its DNS, or take its DS record away."
    ),
    "externalAccountRequired": (
        "This CA requires an account with it first ({detail}). Write what it gave you into "
        "acme.eab_kid and acme.eab_hmac_key."
    ),
    "incorrectResponse": (
        "The CA reached {name}, but something else answered it ({detail}). Make sure that {port} "
        "of every address in its A and AAAA records leads to this labgate."
    ),
    "invalidContact": "The CA does not accept acme.email ({detail}). Give an address that works.",
    "invalidProfile": (
        "The CA has no certificate profile of that name ({detail}). Leave acme.profile out, or "
        "take one that its documentation names."
    ),
    "malformed": (
        "The CA could not use a request ({detail}). Make sure that acme.directory "
        "({directory}) is its ACME directory; if it is, this is a fault of labgate: report it."
    ),
    "orderNotReady": "The CA was not ready to issue ({detail}). Try again in some minutes.",
    "rateLimited": (
        "The CA's rate limit is reached ({detail}). labgate waits as long as the CA asks; for "
        "tests use Let's Encrypt's staging: --acme-directory staging."
    ),
    "rejectedIdentifier": (
        "This CA does not issue certificates for {name} ({detail}). Use a public name in "
        "site.domains, or give a certificate of your own with --cert and --key."
    ),
    "serverInternal": (
        "The CA has an internal error ({detail}). Nothing is wrong here; try again later, and "
        "see the CA's status page."
    ),
    "tls": (
        "The CA could not finish a TLS handshake with {name} ({detail}). Make sure that {port} "
        "of every address in its A and AAAA records leads to this labgate, with no other TLS "
        "server between."
    ),
    "unauthorized": (
        "The CA reached {name}, but what answered it was not this labgate ({detail}). Make sure "
        "that the A and AAAA records of {name} hold this machine's addresses and nothing else, "
        "and that no other server answers on {port}."
    ),
    "unsupportedContact": (
        "The CA does not accept acme.email ({detail}). Give a plain mail address."
    ),
    "unsupportedIdentifier": (
        "This CA issues no certificates for names like {name} ({detail}). Use a DNS name in "
        "site.domains, or another CA with acme.directory."
    ),
    "userActionRequired": (
        "The CA wants its new terms of service to be agreed to ({detail}). Follow the address "
        "it gives, then try again."
    ),
}
SENTENCES["unknownHost"] = SENTENCES["dns"]  # what drafts of RFC 8555 called it
SENTENCES["invalidEmail"] = SENTENCES["invalidContact"]

REFUSED = (
    "The CA refused this account ({detail}). If it was deactivated, remove {account}; labgate "
    "then registers a new one."
)
"""``unauthorized`` without a challenge: the account is meant."""

UNKNOWN_TYPE = (
    "The CA answered with the error {code} ({detail}). Its documentation says what to do."
)

_SAME_FOR_ALL_CHALLENGES = frozenset(
    ("caa", "dns", "dnssec", "unknownHost", "rateLimited", "rejectedIdentifier", "serverInternal")
)
"""Problems that no other challenge avoids; trying one would count as one more failure."""


def explain_problem(
    problem: Problem,
    *,
    names: tuple[str, ...] = (),
    directory: str = "",
    account: Path | str = "",
    caa: str = "",
) -> str:
    """One or two sentences: what is wrong, and what to do.

    Args:
        problem: What the CA said.
        names: All names of the order, for a problem that names none.
        directory: The CA's directory URL.
        account: The folder with the account.
        caa: What the CA calls itself in CAA records.
    """
    text = SENTENCES.get(problem.code, UNKNOWN_TYPE)
    if problem.code == "unauthorized" and not problem.challenge:
        text = REFUSED
    return text.format(
        code=problem.code,
        detail=sanitized(problem.detail) or "it gave no reason",
        name=problem.name or ", ".join(names) or "this name",
        port=_PORTS.get(problem.challenge, "ports 80 and 443"),
        directory=directory,
        account=account,
        caa=caa or "the CA's name for itself",
    )


def merge_problems(problems: Iterable[Problem]) -> list[Problem]:
    """One problem for each type and challenge, with all the names that have it."""
    first: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        kind = problem.code, problem.challenge
        known = first.setdefault(kind, problem)
        if problem.name not in known.name.split(", "):
            first[kind] = replace(known, name=f"{known.name}, {problem.name}")
    return list(first.values())


def other_challenge_may_help(problem: Problem) -> bool:
    """Whether another type of challenge may succeed where this one failed."""
    return problem.code not in _SAME_FOR_ALL_CHALLENGES


def sanitized(text: str) -> str:
    """The CA's text on one line, of limited length, without control characters."""
    text = re.sub(r"[\x00-\x20\x7f-\x9f]+", " ", text).lstrip().rstrip(" .")
    return text if len(text) <= MAX_DETAIL_CHARS else text[: MAX_DETAIL_CHARS - 1] + "…"


def explain_unreachable(directory: str, reason: str) -> str:
    """The CA does not respond."""
    return (
        f"The CA at {directory} cannot be reached ({sanitized(reason)}). Make sure that this "
        "machine may open connections to it, and that acme.directory is right."
    )


def explain_untrusted(directory: str, reason: str, ca_file: Path | None) -> str:
    """The CA's own TLS certificate does not verify."""
    if "not yet valid" in reason or "has expired" in reason:
        remedy = "If this machine's clock is wrong, set it (`timedatectl set-ntp true`)"
    elif ca_file is not None:
        remedy = f"acme.ca_file ({ca_file}) must hold the root certificate of its TLS certificate"
    else:
        remedy = "For a private CA put its root certificate into acme.ca_file"
    return f"The TLS certificate of {directory} is not trusted ({sanitized(reason)}). {remedy}."


def explain_no_directory(directory: str, reason: str) -> str:
    """A server responds, but not with an ACME directory."""
    return (
        f"{directory} is not an ACME directory ({sanitized(reason)}). Set acme.directory to the "
        'address the CA documents, or leave it out for Let\'s Encrypt ("staging" for tests).'
    )


def explain_files(folder: Path, error: OSError) -> str:
    """A file cannot be read or written."""
    where = error.filename or folder
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            remedy = "Make room there"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            remedy = "Make it a folder that labgate can write, or name another with state.folder"
        case _:
            remedy = "Correct that, or name another folder with state.folder"
    reason = error.strerror or str(error)
    return f"The certificate cannot be kept in {folder} ({where}: {reason}). {remedy}."


def explain_skew(skew: timedelta) -> str:
    """This machine's clock differs from the CA's; empty if it does not."""
    if abs(skew) <= MAX_CLOCK_SKEW:
        return ""
    seconds = abs(skew).total_seconds()
    amount = f"{seconds / 86400:.0f} days" if seconds >= 172800 else f"{seconds / 60:.0f} minutes"
    side = "late" if skew > timedelta(0) else "ahead"
    return f"This machine's clock is {amount} {side}: set it (`timedatectl set-ntp true`)."
