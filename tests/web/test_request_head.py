"""A request that reached an application, as the rules know it."""

from __future__ import annotations

from aiohttp.test_utils import make_mocked_request

from proxy.web.request_head import request_head


def test_everything_that_was_sent_is_there() -> None:
    fields = {"Host": "lab.example.org", "Accept": "text/html", "X-Real-IP": "2001:db8::7"}
    head = request_head(make_mocked_request("POST", "/.labgate/logout?a=%2F", headers=fields))
    assert (head.method, head.target, head.version) == (b"POST", b"/.labgate/logout?a=%2F", (1, 1))
    assert list(head.values(b"accept")) == [b"text/html"]
    assert head.arrival.peer == "2001:db8::7"


def test_a_request_that_labgate_did_not_forward_is_nobodys() -> None:
    assert request_head(make_mocked_request("GET", "/")).arrival.peer == ""
