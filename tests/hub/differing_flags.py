"""What differs for administrators: the command line, the process, TLS, the API, metrics, logs."""

from __future__ import annotations

from tests.hub.difference import Difference

_PROFILE = "Mozilla's intermediate profile always holds, and the log says so"

FLAGS = {
    "version": Difference(
        "`--version`", "5.3.0", "labgate VERSION", "so one sees which of them it is"
    ),
    "wrong command line": Difference(
        "exit code after an unknown flag", 1, 2, "2 is every wrong command line of labgate's"
    ),
    "own flags": Difference(
        "`--storage`, `--workers`, `--public-origin`, `--log-format` and `--take-over` are known",
        False,
        True,
        "routes that outlive the process, several processes, checks at the edge, logs for programs",
    ),
    "signals": Difference(
        "exit code after SIGINT and SIGTERM",
        2,
        0,
        "a service that was asked to stop has not failed",
    ),
    "socket and port": Difference(
        "`--api-socket` together with `--api-port`",
        "the socket is used",
        2,
        "one of them was meant; CHP says so, too, of `--socket` and `--port`",
    ),
    "stale socket": Difference(
        "starts on a socket file that a process before has left",
        False,
        True,
        "after a crash nobody has to remove it",
    ),
    "timeout": Difference(
        "a target that does not answer within `--timeout`",
        "the connection ends",
        503,
        "a client that gets no response cannot know whether to try again; both flags mean how "
        "long a response may take to begin",
    ),
    "ssl protocol": Difference(
        "the protocol with `--ssl-protocol TLSv1_2`", "TLSv1.2", "TLSv1.3", _PROFILE
    ),
    "ssl ciphers": Difference(
        "the cipher of TLS 1.2 with `--ssl-ciphers ECDHE-ECDSA-AES256-SHA384`",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        f"{_PROFILE}; `--ssl-dhparam` and `--ssl-allow-rc4` have no effect either",
    ),
    "new certificate": Difference(
        "a new certificate in the file of `--ssl-cert` or `--api-ssl-cert` is served",
        False,
        True,
        "certificates live for weeks, proxies for months",
    ),
    "insecure": Difference(
        "a target whose certificate nobody trusts, with `--insecure`",
        503,
        200,
        "CHP 5.3 verifies it all the same, against what the flag says",
    ),
    "name of a target": Difference(
        "a target's certificate is for its own address, and not for the request's `Host`",
        503,
        200,
        "the address of the target was dialled, so its name is what is verified",
    ),
    "storage backend": Difference(
        "starts with `--storage-backend` and a module that is not there",
        False,
        True,
        "it names a module of node; `--storage` keeps the routes",
    ),
    "unix client": Difference(
        "`X-Forwarded-For` of a client at `--socket`",
        "undefined",
        "local",
        "there is no address",
    ),
    "redirected post": Difference(
        "status of a POST at `--redirect-port`",
        301,
        308,
        "after 301 browsers send a GET without the content",
    ),
    "redirect to 443": Difference(
        "where `--redirect-to 443` leads",
        "https://hub.example.org:443/x",
        "https://hub.example.org/x",
        "it is the port that https implies",
    ),
    "redirect elsewhere": Difference(
        "`--redirect-port` answers at addresses other than `--ip`",
        True,
        False,
        "it was told where to listen",
    ),
    "no token": Difference(
        "API call without a token where `CONFIGPROXY_AUTH_TOKEN` is not set",
        200,
        403,
        "an API that is open by an oversight lets anybody on the machine move every user's route; "
        "labgate makes a token and keeps it in a file of its user (`hub.token`, mode 0600)",
    ),
    "json before token": Difference(
        "broken JSON without a token", 400, 403, "nothing of a stranger's is parsed"
    ),
    "bad target": Difference(
        "POST of a target that is no URL", 201, 400, "the Hub learns of it, not its users"
    ),
    "nested json": Difference(
        "POST of a route with data of more than 100 levels",
        201,
        400,
        "what is nested deeper could be read, but not be listed, and no other route with it",
    ),
    "dates": Difference(
        "`inactiveSince=Nov 26 2030`",
        200,
        400,
        "ISO 8601 is what is documented; other forms mean different days to different readers",
    ),
    "activity metric": Difference(
        "`last_activity_updating` in the metrics",
        True,
        False,
        "it times the writing of a date, which would take longer to count than to do",
    ),
    "quantiles": Difference(
        "quantiles of `find_target_for_req`",
        True,
        False,
        "of all time, as these are, they say little; count and sum are there",
    ),
    "node's metrics": Difference("`nodejs_…` in the metrics", True, False, "there is no node"),
    "unknown route": Difference(
        "`api_route_delete` after DELETE of an unknown route", 1, 0, "no route was removed"
    ),
    "calls in the log": Difference(
        "the log names every call of the API at the level info",
        True,
        False,
        "the Hub lists the routes again and again; what changes is logged, the rest at debug",
    ),
}
