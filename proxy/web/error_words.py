"""What the error pages say: for each status and reason a heading, and what to do."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """The texts of a page beside the sentence that programs get, too."""

    heading: str
    advice: str


def error_words(status: int, reason: str) -> Words:
    """The words for an error.

    Args:
        status: The answer's status.
        reason: The rule that refused, or another short name of the error; one that is not in the
            table gets the words of its status.
    """
    return _WORDS.get((status, reason)) or _WORDS.get((status, ""), _NOT_UNDERSTOOD)


_REPORT = "If that does not help, tell whoever runs this server: its log has the reason."

_OTHER_SITE = Words(
    "This was opened from another site",
    "Type its address into the address bar, or open it from within Jupyter. Pages of other "
    "sites may not do things here in your name.",
)

_NOT_UNDERSTOOD = Words(
    "The request was not understood",
    f"Check the address, and load this page again. {_REPORT}",
)

_WORDS: dict[tuple[int, str], Words] = {
    (401, ""): Words(
        "A login is needed",
        "Load this page again to be asked for a user and a password. If you have none, "
        "ask whoever runs this server for them.",
    ),
    (401, "logged-out"): Words(
        "You are logged out",
        "If your browser asks for a password now, cancel: then it forgets the one it has. "
        "Jupyter's own login, if it has one, ends with Log Out in Jupyter's menu.",
    ),
    (403, "logout"): Words(
        "Nobody was logged out",
        "Use the button or the menu of the page itself. Pages of other sites may not do that "
        "in your name.",
    ),
    (403, ""): Words(
        "This is not allowed", "Whoever runs this server finds the reason in its log."
    ),
    (403, "origin"): _OTHER_SITE,
    (403, "fetch-site"): _OTHER_SITE,
    (403, "allow-list"): Words(
        "No way in from your network",
        "Come from the network or the VPN that was set up for it, or ask whoever runs this "
        "server to let your address in.",
    ),
    (404, ""): Words("There is nothing here", "Check the address for a typing mistake."),
    (408, ""): Words(
        "That took too long", "Check your connection to the network, and send it again."
    ),
    (421, ""): Words(
        "This server answers under another name",
        "Open it by exactly the address you were given: the name, and the number behind a "
        "colon if there is one. Whoever runs this server finds in its log what was asked for.",
    ),
    (429, ""): Words(
        "Please wait before you log in again",
        "Until then even the right password is refused. Whoever is logged in already can go "
        "on working.",
    ),
    (500, ""): Words(
        "Something went wrong on this server",
        "Load this page again. If that does not help, tell whoever runs this server.",
    ),
    (502, ""): Words("Jupyter gave no usable answer", f"Load this page again. {_REPORT}"),
    (503, ""): Words("Too much at once", "Wait a moment, then load this page again."),
    (503, "upstream"): Words(
        "What you sent may not have arrived",
        "Jupyter is starting or restarting. Go back, and send it again once it answers.",
    ),
    (504, ""): Words(
        "Jupyter takes too long to answer",
        f"It may be busy with something big. Wait a moment, then load this page again. {_REPORT}",
    ),
}
