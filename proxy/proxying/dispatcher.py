"""The entrance to the proxying: every request of every listener.

Tested by tests/proxying/test_messages.py and tests/proxying/test_crowds.py.
"""

from __future__ import annotations

from proxy.messages import RequestBody, RequestInProgress, Responder
from proxy.observe.record import NO_OBSERVERS, Observers, Record
from proxy.proxying.request_handler import RequestHandler
from proxy.proxying.request_log import RequestLog
from proxy.proxying.router import Routing
from proxy.proxying.services import Services
from proxy.rules.client import with_client_address
from proxy.rules.head import RequestHead
from proxy.rules.request_id import request_id


class Dispatcher:
    """Gives each request a handler (``messages.Dispatch``).

    Attributes:
        services: What the handlers use.

    Args:
        router: Chooses where a request goes.
        observers: Called at the start, the head and the end of each request.
        access_log: Whether each request has a line there, so that a failure needs no other.
        trace: Keep in each record what the rules change.
    """

    def __init__(
        self,
        router: Routing,
        observers: Observers = NO_OBSERVERS,
        *,
        access_log: bool = False,
        trace: bool = False,
    ) -> None:
        self.services = Services(router, RequestLog(access_log=access_log), observers, trace)

    def __call__(
        self, head: RequestHead, body: RequestBody, responder: Responder
    ) -> RequestInProgress:
        """Respond to one request now or start a task."""
        services = self.services
        router = services.router
        known_id = b""
        if router.behind_proxies:
            known_id = request_id(head, router.site.trusted_proxies)
            head = with_client_address(head, router.site.trusted_proxies)
        services.open_requests.count += 1
        # Random for each process only: a random number for each request costs more.
        record = Record(
            head,
            request_id=known_id or b"%b-%x" % (services.process_id, next(services.numbers)),
        )
        if services.recorder is not None:
            record.route = router.name
            # The recorder wraps both and passes every call on.
            body, responder = services.recorder.begin(record, body, responder, router.site)
        handler = RequestHandler(services, head, body, responder, record)
        try:
            handler.begin()
        except Exception as error:
            handler.fail(error)
        return handler
