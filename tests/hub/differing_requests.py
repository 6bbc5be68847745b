"""What differs for clients and for targets: requests, responses, WebSockets."""

from __future__ import annotations

from tests.hub.difference import Difference

REQUESTS = {
    "websocket proto": Difference(
        "`X-Forwarded-Proto` of a WebSocket",
        "ws",
        "http",
        "tornado takes http and https, and would ignore what it is sent with ws and wss",
    ),
    "websocket host": Difference(
        "`X-Forwarded-Host` of a WebSocket",
        None,
        "hub.example.org",
        "a target learns the public name of a WebSocket as it does of other requests",
    ),
    "real ip and scheme": Difference(
        "`X-Real-IP` and `X-Scheme` of a client, at the target",
        ("192.0.2.1", "https"),
        (None, None),
        "tornado believes them before X-Forwarded-For and X-Forwarded-Proto, so any client would "
        "choose the address that the Hub sees",
    ),
    "underscores": Difference(
        "a field with an underscore (`X_Forwarded_For`), at the target",
        "192.0.2.1",
        None,
        "where fields become variables (WSGI) it is taken for X-Forwarded-For",
    ),
    "connection fields": Difference(
        "a field that `Connection` names, and `Proxy-Authorization`, at the target",
        ("named", "secret"),
        (None, None),
        "they are about one connection (RFC 9110 section 7.6.1)",
    ),
    "via": Difference(
        "`Via` in a request", None, "1.1 labgate", "RFC 9110 section 7.6.3 asks gateways for it"
    ),
    "request id": Difference(
        "`X-Request-Id` in a request", False, True, "one request can be found in both logs"
    ),
    "no host": Difference(
        "`Host` at the target of an HTTP/1.0 request without one",
        "the target's",
        "an empty one",
        "nobody asked for the target's name, and the Hub would take it for the public one",
    ),
    "absolute form": Difference(
        "`Host` at the target of `GET http://other/x`",
        "hub.example.org",
        "other",
        "RFC 9112 section 3.2.2: the request target counts, not the field",
    ),
    "asterisk": Difference(
        "the target of `OPTIONS *`",
        "OPTIONS /* HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "it is about the server and not about a page named `*`",
    ),
    "quotes": Difference(
        'the target of `/x?a="b"`',
        "/x?a=%22b%22",
        '/x?a="b"',
        "a request target passes as it came",
    ),
    "dot segments": Difference(
        "the route and the target of `/user/ada/../bob/x`",
        ("/user/bob", "/user/bob/x"),
        ("/user/ada", "/user/ada/../bob/x"),
        "a request target passes as it came, and is routed as it passes; browsers resolve such "
        "segments before",
    ),
    "two slashes": Difference(
        "the route of `//user/ada/x`",
        "/",
        "/user/ada",
        "CHP takes the first segment for a host",
    ),
    "backslash": Difference(
        "the route of `/user\\ada/x`",
        "/user/ada",
        "/",
        "only a slash ends a segment (RFC 3986 section 3.3)",
    ),
    "stripped encoded prefix": Difference(
        "the target of `/a%20b/x` for the route `/a b` with `--no-include-prefix`",
        "/0b/x",
        "/x",
        "CHP cuts as many characters as the decoded prefix has",
    ),
    "broken encoding": Difference(
        "a request target with `%zz`",
        500,
        404,
        "it is the client's mistake: no route has this name",
    ),
    "redirect without a port": Difference(
        "a redirect to a target with `--auto-rewrite`, where Host has no port",
        "http://hub.example.org:PORT/moved",
        "http://hub.example.org/moved",
        "the target's port is not one that clients reach",
    ),
    "activity of the target": Difference(
        "data that a WebSocket's target sends is `last_activity`",
        False,
        True,
        "a cell that prints for hours is in use, also while nobody types",
    ),
    "activity of content": Difference(
        "the content of a request that is answered with 404 is `last_activity`",
        True,
        False,
        "a flood of failing requests does not make a server look used, as CHP says of responses",
    ),
    "large head": Difference(
        "a request head of 20 KiB",
        431,
        200,
        "many subdomains' cookies are long; up to 64 KiB pass",
    ),
    "many fields": Difference(
        "a request with 200 fields", 200, 431, "up to 128 pass: each costs the Hub time"
    ),
    "two hosts": Difference(
        "two `Host` fields",
        200,
        400,
        "RFC 9112 section 3.2: what is in front may have read the other one",
    ),
    "bad host": Difference(
        "`Host: a b/c`", 200, 400, "RFC 9112 section 3.2: no name has such characters"
    ),
    "fragment": Difference(
        "a request target with a fragment",
        200,
        400,
        "no browser sends one, and who reads the route may read it in another way",
    ),
    "coding before chunked": Difference(
        "`Transfer-Encoding: gzip, chunked`",
        200,
        501,
        "RFC 9112 section 6.1: a coding that is not understood cannot be passed on",
    ),
    "connect": Difference(
        "`CONNECT`",
        "the connection ends",
        405,
        "a client that gets no response cannot know what was wrong",
    ),
    "unknown method": Difference(
        "a method that nobody knows", 400, 501, "RFC 9110 section 15.6.2 names this case"
    ),
    "version 1.2": Difference(
        "`HTTP/1.2`", 400, 200, "RFC 9110 section 6.2: a later minor version is understood"
    ),
    "version 2.0": Difference(
        "`HTTP/2.0` in a request line", 200, 505, "HTTP/2 has no such line: it is a mistake"
    ),
    "other upgrade": Difference(
        "`Upgrade` to something else than `websocket`",
        "the connection ends",
        200,
        "RFC 9110 section 7.8: who does not know the protocol goes on with HTTP",
    ),
}
