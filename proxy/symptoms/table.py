"""Every symptom, with the check or the setting behind it.

Measured with jupyter_server 2.21 and tornado 6.6. Tested by tests/symptoms/test_model.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .addresses import OF_THE_ADDRESS
from .symptom import Severity, Symptom

_ALL = (
    *OF_THE_ADDRESS,
    Symptom(
        "duplicate-host",
        Severity.ERROR,
        "The proxy sends two Host fields",
        "RFC 9112 section 3.2 wants exactly one; two lines of the proxy each add one "
        "(nginx: proxy_set_header Host)",
    ),
    Symptom(
        "origin-refused",
        Severity.ERROR,
        "Jupyter refuses requests of its own page, because Host and Origin do not agree",
        "JupyterHandler.check_origin: the host and port of Origin must equal Host; answers 404 "
        "(WebSocketMixin.check_origin: 403)",
    ),
    Symptom(
        "referer-refused",
        Severity.ERROR,
        "Jupyter refuses files, because Host and Referer do not agree",
        "JupyterHandler.check_referer, for /files and /nbconvert: the host and port of Referer "
        "must equal Host",
    ),
    Symptom(
        "cross-origin-open",
        Severity.ERROR,
        "Pages of other sites can use this Jupyter with the login of whoever opens them",
        "JupyterHandler.check_origin compares Origin with Host: it is worth nothing where the "
        "proxy sets both on every request, or with ServerApp.allow_origin = '*'",
    ),
    Symptom(
        "xsrf-lost",
        Severity.ERROR,
        "The XSRF token does not arrive",
        "RequestHandler.check_xsrf_cookie of tornado: the cookie _xsrf must equal the field "
        "X-XSRFToken",
    ),
    Symptom(
        "cookies-lost",
        Severity.ERROR,
        "Cookies do not arrive",
        "IdentityProvider.get_user_cookie: the login is a cookie; a WebSocket carries nothing else",
    ),
    Symptom(
        "websocket-not-upgraded",
        Severity.ERROR,
        "The proxy does not upgrade WebSockets",
        'WebSocketHandler.get of tornado: \'Can "Upgrade" only to "WebSocket"\' and '
        '\'"Connection" must be "Upgrade"\'; Upgrade and Connection are hop-by-hop fields, which '
        "a proxy drops unless told otherwise (RFC 9110 section 7.6.1)",
    ),
    Symptom(
        "websocket-refused",
        Severity.ERROR,
        "The WebSocket is refused, although other requests pass",
        "WebSocketMixin.check_origin and the login, which a WebSocket carries in its cookie only",
    ),
    Symptom(
        "websocket-version",
        Severity.ERROR,
        "The proxy changes the version of the WebSocket protocol",
        "WebSocketHandler.get of tornado: Sec-WebSocket-Version must be 13; answers 426",
    ),
    Symptom(
        "extended-connect",
        Severity.ERROR,
        "WebSockets fail over HTTP/2, although the proxy announces them there",
        "SETTINGS_ENABLE_CONNECT_PROTOCOL (RFC 8441): where it is 1, browsers open WebSockets over "
        "HTTP/2 and not by an upgrade (HAProxy: h2-workaround-bogus-websocket-clients)",
    ),
    Symptom(
        "message-limit",
        Severity.ERROR,
        "Large WebSocket messages end the connection",
        "a limit of the proxy, as 4 MiB in aiohttp's WebSocket classes; Jupyter itself takes "
        "10 MiB (tornado: websocket_max_message_size) and sends any size",
    ),
    Symptom(
        "idle-timeout",
        Severity.ERROR,
        "The proxy ends a WebSocket that is silent",
        "a timeout of the proxy (nginx: proxy_read_timeout, 60 s); Jupyter sends no pings on its "
        "events socket (EventSubscribeWebsocket)",
    ),
    Symptom(
        "body-limit",
        Severity.ERROR,
        "The proxy refuses large uploads",
        "the proxy's limit (nginx: client_max_body_size, 1 MB); Jupyter's is 512 MiB",
    ),
    Symptom(
        "path-decoded",
        Severity.ERROR,
        "The proxy changes encoded characters in paths",
        "the proxy decodes the path (nginx: proxy_pass with a path or a slash after the port); "
        "Jupyter then looks for another file",
    ),
    Symptom(
        "header-limit",
        Severity.WARNING,
        "The proxy refuses a head that Jupyter takes",
        "a limit of the proxy (nginx: large_client_header_buffers, 8 KiB a line); tornado takes "
        "64 KiB",
    ),
    Symptom(
        "sso-redirect",
        Severity.ERROR,
        "A call of the page is redirected to a login page of another site",
        "the proxy's single sign-on; JupyterLab expects 401 or 403, and reads the login page as "
        "broken JSON",
    ),
    Symptom(
        "upstream-down",
        Severity.ERROR,
        "The proxy does not reach Jupyter",
        "the proxy's upstream address (nginx: proxy_pass); after 502 and 504 JupyterLab declares "
        "the kernel dead, after 503 it tries again",
    ),
    Symptom(
        "upstream-timeout",
        Severity.ERROR,
        "The proxy does not wait for Jupyter's answer",
        "a timeout of the proxy (nginx: proxy_read_timeout, 60 s)",
    ),
    Symptom(
        "base-url",
        Severity.ERROR,
        "Jupyter does not know this path",
        "ServerApp.base_url must be the path that arrives at Jupyter; the proxy must not strip it",
    ),
    Symptom(
        "login-refused",
        Severity.ERROR,
        "Jupyter refuses the token or the password",
        "IdentityProvider.get_user_token, PasswordIdentityProvider.passwd_check; `labgate open` "
        "and `jupyter server list` show the token in force; none counts once a password is set",
    ),
    Symptom(
        "login-missing",
        Severity.NOTE,
        "This client has not logged in",
        "IdentityProvider.get_user: a login cookie, or Authorization: token …, or ?token=…",
    ),
    Symptom(
        "rate-limited",
        Severity.ERROR,
        "The proxy refuses requests, because there are too many",
        "a limit of the proxy (nginx: limit_req); JupyterLab's page alone asks for 81 files",
    ),
    Symptom(
        "jupyter-error",
        Severity.ERROR,
        "Jupyter itself failed",
        "an exception in Jupyter or one of its extensions: its log has the traceback",
    ),
    Symptom(
        "files-refused",
        Severity.ERROR,
        "Jupyter cannot read or write its files",
        "the folder's owner and rights, and the room on its disk; no proxy has a part in it",
    ),
    Symptom(
        "no-redirect",
        Severity.WARNING,
        "Plain HTTP is not redirected to HTTPS",
        "the proxy's listener on port 80 (nginx: return 308)",
    ),
    Symptom(
        "cookie-flags",
        Severity.WARNING,
        "Cookies come with wrong flags",
        "the login cookie wants Secure and HttpOnly (ServerApp.trust_xheaders, "
        "IdentityProvider.secure_cookie); _xsrf must not be HttpOnly: JupyterLab reads it",
    ),
    Symptom(
        "subprotocol-lost",
        Severity.WARNING,
        "The WebSocket's subprotocol does not arrive",
        "KernelWebsocketHandler.select_subprotocol: without v1.kernel.websocket.jupyter.org the "
        "client falls back to the old JSON protocol, which is slower",
    ),
    Symptom(
        "forwarded-proto",
        Severity.WARNING,
        "Jupyter does not know that the page is HTTPS",
        "ServerApp.trust_xheaders, and X-Forwarded-Proto: https from the proxy; without them the "
        "login cookie is not Secure",
    ),
    Symptom(
        "lab-cached",
        Severity.WARNING,
        "The page /lab is cached",
        "a cache of the proxy, or a Cache-Control it adds (nginx: proxy_cache, expires); the page "
        "holds the token, and names files that are gone after an upgrade",
    ),
    Symptom(
        "buffered",
        Severity.WARNING,
        "The proxy holds bodies back until they are complete",
        "buffers of the proxy (nginx: proxy_request_buffering, proxy_buffering)",
    ),
    Symptom(
        "compression",
        Severity.ERROR,
        "Compression changes what arrives",
        "the compression of the proxy (nginx: gzip, gunzip): Content-Encoding must say how the "
        "content came to be, and only what Accept-Encoding asked for (RFC 9110 section 8.4)",
    ),
    Symptom(
        "access-refused",
        Severity.ERROR,
        "The proxy does not let this client in",
        "an allow-list of the proxy (nginx: allow and deny; labgate: access.allow); behind another "
        "proxy it sees that one's address",
    ),
    Symptom(
        "method-refused",
        Severity.ERROR,
        "The proxy refuses a method that JupyterLab needs",
        "the methods that the proxy lets through (nginx: limit_except); JupyterLab uses GET, HEAD, "
        "POST, PUT, PATCH and DELETE",
    ),
    Symptom(
        "download-cut",
        Severity.ERROR,
        "Large downloads end before they are complete",
        "a timeout of the proxy, or a full disk where it keeps bodies (nginx: proxy_read_timeout, "
        "proxy_max_temp_file_size)",
    ),
    Symptom(
        "login-in-front",
        Severity.NOTE,
        "The proxy asks for a password of its own",
        "a login of the proxy (nginx: auth_basic; labgate: access.htpasswd); behind it nothing can "
        "be said without that password",
    ),
    Symptom(
        "malformed-request",
        Severity.ERROR,
        "The request is not one that can be read",
        "RFC 9112, or what Jupyter's handler of this path expects; its log says what is missing",
    ),
    Symptom(
        "malformed-response",
        Severity.ERROR,
        "Jupyter's answer is not HTTP that can be read",
        "RFC 9112: what made the answer, or changed it on the way; the upstream address may be "
        "that of another program, or of HTTPS",
    ),
    Symptom(
        "proxy-error",
        Severity.ERROR,
        "The proxy itself failed",
        "a fault in the proxy: its log has the reason",
    ),
    Symptom(
        "foreign-page",
        Severity.NOTE,
        "A page of another site asked, and was refused",
        "labgate's rules fetch-site and logout, which stand for JupyterHandler.check_origin",
    ),
    Symptom(
        "not-found",
        Severity.NOTE,
        "There is nothing at this path",
        "Jupyter's routes and files; JupyterLab asks for some files that need not be there",
    ),
)

SYMPTOMS: Mapping[str, Symptom] = MappingProxyType({symptom.id: symptom for symptom in _ALL})
"""Every symptom by its identifier."""
