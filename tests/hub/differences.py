"""Where labgate differs from configurable-http-proxy 5.3 on purpose, and why.

``test_contract`` asserts each line on both sides: what it says of CHP is measured, not remembered.
"""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """One behaviour of each.

    Attributes:
        what: What is compared.
        chp: What configurable-http-proxy does.
        labgate: What labgate does.
        reason: Why labgate does it.
    """

    what: str
    chp: object
    labgate: object
    reason: str


DIFFERENCES = {
    "sigterm": Difference(
        "exit code after SIGTERM", 2, 0, "a service that was asked to stop has not failed"
    ),
    "no token": Difference(
        "API call without a token where CONFIGPROXY_AUTH_TOKEN is not set",
        200,
        403,
        "an API that is open by an oversight lets anybody on the machine move every user's route; "
        "labgate makes a token and keeps it in a file of its user (hub.token, mode 0600)",
    ),
    "json before token": Difference(
        "broken JSON without a token", 400, 403, "nothing of a stranger's is parsed"
    ),
    "bad target": Difference(
        "POST of a target that is no URL", 201, 400, "the Hub learns of it, not its users"
    ),
    "websocket proto": Difference(
        "X-Forwarded-Proto of a WebSocket",
        "ws",
        "http",
        "tornado takes http and https, and would ignore what it is sent with ws and wss",
    ),
    "real ip and scheme": Difference(
        "X-Real-IP and X-Scheme of a client",
        ("192.0.2.1", "https"),
        (None, None),
        "tornado believes them before X-Forwarded-For and X-Forwarded-Proto, so any client would "
        "choose the address that the Hub sees",
    ),
    "via": Difference(
        "Via in a request", None, "1.1 labgate", "RFC 9110 section 7.6.3 asks gateways for it"
    ),
    "request id": Difference(
        "X-Request-Id in a request", False, True, "one request can be found in both logs"
    ),
    "redirect without a port": Difference(
        "a redirect to a target with --auto-rewrite, where Host has no port",
        "http://hub.example.org:PORT/moved",
        "http://hub.example.org/moved",
        "the target's port is not one that clients reach",
    ),
    "broken encoding": Difference(
        "a request target with %zz", 500, 404, "it is the client's mistake: no route has this name"
    ),
    "stripped encoded prefix": Difference(
        "target of /a%20b/x for the route /a b with --no-include-prefix",
        "/0b/x",
        "/x",
        "CHP cuts as many characters as the decoded prefix has",
    ),
    "nested json": Difference(
        "POST of a route with data of more than 100 levels",
        201,
        400,
        "what is nested deeper could be read, but not be listed, and no other route with it",
    ),
    "timeout": Difference(
        "a target that does not answer within --timeout",
        "the connection ends",
        503,
        "a client that gets no response cannot know whether to try again; both flags mean how "
        "long a response may take to begin",
    ),
    "activity metric": Difference(
        "last_activity_updating in the metrics",
        True,
        False,
        "it times the writing of a date, which would take longer to count than to do",
    ),
}
