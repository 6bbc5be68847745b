"""Sending a request again: only to Jupyter, with consent, and seen in the list."""

from __future__ import annotations

import json
import logging
import ssl
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.replay import Replay
from proxy.inspector.exchange import READ_IN, CapturedHead, Exchange
from proxy.inspector.explanation_log import ExplanationLog
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions
from proxy.inspector.replay_front import send_through_rules
from proxy.inspector.replay_request import AnotherRoute, Destination
from proxy.net.upstream_address import UpstreamAddress
from proxy.net.upstream_tls import UpstreamTls
from tests.certificates import AUTHORITY, pair
from tests.edges import edge
from tests.inspector.exchanges import exchange
from tests.upstreams import OK, Upstream, says, upstream

from .conftest import Page, no_rules, to

GET: dict[str, Any] = {"method": "GET", "target": "/api/a%2Fb?x=1", "fields": [["X-A", "b"]]}
PATH = "exchanges/1/replay"


@pytest.fixture
async def jupyter() -> Any:
    async with upstream(says(OK)) as running:
        yield running


@pytest.fixture
def replay(inspector: Inspector, jupyter: Upstream) -> Replay:
    inspector.ring.add(exchange())
    return Replay(inspector, no_rules, to(lambda: jupyter.address), lambda: "own-token")


async def test_straight_to_jupyter(page: Page, jupyter: Upstream) -> None:
    page.inspector.switch(CaptureOptions(content=True))
    answer = await page.post(PATH, GET | {"token": "typed"})
    head = jupyter.heads
    assert head.startswith(b"GET /api/a%2Fb?x=1 HTTP/1.1\r\n")
    assert b"\r\nX-A: b\r\n" in head
    assert b"\r\nAuthorization: token typed\r\n" in head
    assert f"Host: 127.0.0.1:{jupyter.address.port}".encode() in head
    one = await page.get(f"exchanges/{answer['number']}")
    assert (one["status"], one["outcome"]) == (200, "replayed to Jupyter")
    assert "typed" not in str(one)


async def test_it_is_logged_without_its_secrets(
    page: Page, jupyter: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "labgate")
    await page.post(PATH, GET | {"target": "/api?token=typed", "token": "typed"})
    assert caplog.messages == ["replaying exchange 1: GET /api?token=[redacted]"]
    assert b"GET /api?token=typed " in jupyter.heads


async def test_labgates_own_token(page: Page, jupyter: Upstream) -> None:
    await page.post(PATH, GET | {"own_token": True, "fields": [["authorization", "token old"]]})
    assert b"Authorization: token own-token\r\n" in jupyter.heads
    assert b"old" not in jupyter.heads


async def test_the_content_that_was_sent_is_shown(page: Page, jupyter: Upstream) -> None:
    page.inspector.switch(CaptureOptions(content=True))
    json_ = {"fields": [["Content-Type", "application/json"]], "content": '{"password": "s3cret"}'}
    answer = await page.post(PATH, GET | {"method": "PUT", "confirmed": True} | json_)
    one = await page.get(f"exchanges/{answer['number']}")
    assert json.loads(one["content_up"]["text"]) == {"password": "[redacted]"}
    assert "Content on" not in one["content_lacks"]


async def test_a_method_that_changes_something_needs_consent(page: Page, jupyter: Upstream) -> None:
    put = GET | {"method": "PUT", "content": "{}"}
    refused = await page.post(PATH, put, status=409)
    assert "confirm" in refused["error"]
    assert not jupyter.visits
    await page.post(PATH, put | {"confirmed": True})
    assert jupyter.heads.startswith(b"PUT ")
    assert b"Content-Length: 2" in jupyter.heads


@pytest.mark.parametrize(
    "body", [GET | {"target": "http://evil.example/"}, GET | {"method": "x"}, []]
)
async def test_what_is_malformed(page: Page, jupyter: Upstream, body: Any) -> None:
    await page.post(PATH, body, status=400)
    assert not jupyter.visits


async def test_while_the_inspector_is_off(page: Page, jupyter: Upstream) -> None:
    page.inspector.switch(None)
    await page.post(PATH, GET, status=409)
    assert not jupyter.visits


async def test_jupyter_that_is_away(page: Page, jupyter: Upstream) -> None:
    jupyter.address = UpstreamAddress("127.0.0.1", 1)
    answer = await page.post(PATH, GET)
    one = await page.get(f"exchanges/{answer['number']}")
    assert one["status"] == 0
    assert one["outcome"].startswith("replayed to Jupyter: ")


async def test_an_answer_that_is_no_http_stays_out_of_the_outcome(inspector: Inspector) -> None:
    async with upstream(says(b"HTTP/1.1 s3cret\r\nX: s3cret\r\n\r\n")) as jupyter:
        sender = Replay(inspector, no_rules, to(lambda: jupyter.address), lambda: "")
        number = await sender.send(GET | {"target": "/lab?token=s3cret"}, exchange())
    one = inspector.ring.get(number)
    assert one is not None
    assert one.outcome == "replayed to Jupyter: no whole answer (ClientResponseError)"
    assert not one.open


async def test_octets_beyond_ascii_are_sent_as_they_are(page: Page, jupyter: Upstream) -> None:
    # A captured field shows each octet as one character.
    shown = "grüß".encode().decode("latin-1")
    await page.post(PATH, GET | {"fields": [["X-A", shown]]})
    assert b"\r\nX-A: " + "grüß".encode() + b"\r\n" in jupyter.heads
    refused = await page.post(PATH, GET | {"fields": [["X-A", "gr\xfc"]]}, status=409)
    assert "UTF-8" in refused["error"]
    assert len(jupyter.visits) == 1


@pytest.mark.parametrize(
    ("origin", "status"), [("https://lab.example.org", 200), ("https://evil.example", 403)]
)
async def test_through_the_rules(origin: str, status: int) -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        inspector = Inspector(labgate.captured, labgate.dispatcher.services.use_recorder)
        inspector.switch(CaptureOptions())
        sender = Replay(
            inspector,
            partial(send_through_rules, labgate.dispatcher, labgate.captured),
            to(lambda: jupyter.address),
            lambda: "",
        )
        body = GET | {"through": "rules", "fields": [["Origin", origin]]}
        number = await sender.send(body, exchange())
        one = labgate.captured.get(number)
        assert one is not None
        assert (one.status, one.open) == (status, False)
        assert len(jupyter.visits) == (1 if status == 200 else 0)


async def test_the_launched_jupyters_token_goes_to_that_jupyter_alone(
    inspector: Inspector, jupyter: Upstream
) -> None:
    asked = []

    def destination(host: str, target: str) -> Destination:
        asked.append((host, target))
        return Destination("bob.example.org", jupyter.address, "/below" + target, launched=False)

    sender = Replay(inspector, no_rules, destination, lambda: "own-token")
    await sender.send(GET | {"own_token": True}, exchange())
    assert asked == [("lab.example.org", GET["target"])]
    assert jupyter.heads.startswith(b"GET /below/api/a%2Fb?x=1 HTTP/1.1\r\n")
    assert b"own-token" not in jupyter.heads


ROUTES = [
    ("/user/ada", "/user/ada/api", None, ""),
    ("/user/bob", "/user/ada/api", None, "now lead to the route /user/ada, but .* /user/bob"),
    ("", "/user/ada/api", None, "lead to the route /user/ada, but the exchange is of no route"),
    ("", "/user/ada/api", "/user/bob", "lead to the route /user/ada"),
    ("", "/user/ada/api", "/user/ada", ""),
    ("/user/bob", "/user/ada/api", "/user/ada", ""),
    ("/user/ada", "/api", None, "now lead to the only Jupyter, but .* /user/ada"),
    ("/user/ada", "/api", "", ""),
    ("", "/api", None, ""),
    ("/user/ada", "/nowhere", None, "now lead to no route, but .* /user/ada"),
]
"""The route of an exchange, where it is to go, to what somebody agreed, and why not."""


@pytest.mark.parametrize(("own", "target", "agreed", "refused"), ROUTES)
async def test_what_leads_to_another_route_is_only_sent_if_somebody_agrees(
    inspector: Inspector,
    jupyter: Upstream,
    own: str,
    target: str,
    agreed: str | None,
    refused: str,
) -> None:
    """Secrets are typed for one Jupyter; an archive that was read in has no route."""

    def destination(_host: str, target: str) -> Destination:
        route = "/user/ada" if target.startswith("/user/ada/") else ""
        address = jupyter.address if target != "/nowhere" else None
        return Destination("lab.example.org", address, target, route=route)

    sender = Replay(inspector, no_rules, destination, lambda: "")
    sent = GET | {"target": target, "route": agreed}
    if refused:
        with pytest.raises(AnotherRoute, match=refused):
            await sender.send(sent, exchange(route=own))
        assert not jupyter.visits
    else:
        one = inspector.ring.get(await sender.send(sent, exchange(route=own)))
        assert one is not None
        assert (one.status, one.route) == (200, destination("", target).route)


async def test_the_page_is_told_to_which_route_somebody_must_agree(
    page: Page, jupyter: Upstream
) -> None:
    page.inspector.ring.add(exchange(route="/user/bob"))
    answer = await page.post("exchanges/2/replay", GET, status=409)
    assert answer["route"] == ""
    assert "the only Jupyter" in answer["error"]
    assert not jupyter.visits
    await page.post("exchanges/2/replay", GET | {"route": answer["route"]})
    assert len(jupyter.visits) == 1


async def test_to_a_unix_socket(inspector: Inspector, sockets: Path) -> None:
    async with upstream(says(OK), path=sockets / "jupyter.sock") as jupyter:
        sender = Replay(inspector, no_rules, to(lambda: jupyter.address), lambda: "")
        number = await sender.send(GET, exchange())
    one = inspector.ring.get(number)
    assert one is not None
    assert one.status == 200
    assert replace(jupyter.address).path is not None


async def over_tls(folder: Path, inspector: Inspector, tls: UpstreamTls) -> Exchange:
    """What becomes of a request to a Jupyter with a certificate of the tests' authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(folder / "jupyter", "127.0.0.1"))
    async with upstream(says(OK), context=context) as jupyter:
        address = replace(jupyter.address, tls=tls)
        sender = Replay(inspector, no_rules, to(lambda: address), lambda: "")
        one = inspector.ring.get(await sender.send(GET, exchange()))
        assert one is not None
        host = f"Host: 127.0.0.1:{address.port}\r\n".encode()
        assert jupyter.heads == b"" if one.answered is None else host in jupyter.heads
        return one


async def test_over_tls(inspector: Inspector, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(authority))
    one = await over_tls(tmp_path, inspector, UpstreamTls(str(authority)))
    assert (one.status, one.outcome) == (200, "replayed to Jupyter")


async def test_a_certificate_that_is_not_checked(inspector: Inspector, tmp_path: Path) -> None:
    one = await over_tls(tmp_path, inspector, UpstreamTls(verify=False))
    assert one.status == 200


async def test_a_jupyter_that_proves_nothing_gets_nothing(
    inspector: Inspector, tmp_path: Path
) -> None:
    one = await over_tls(tmp_path, inspector, UpstreamTls())
    assert (one.status, one.symptom) == (0, "upstream-down")
    assert "ClientConnectorCertificateError" in one.outcome


REASON = b'{"message": "\'_xsrf\' argument missing", "reason": null}'
REFUSED = b"HTTP/1.1 403 OK token=s3cret\r\nContent-Length: %d\r\n\r\n%b" % (len(REASON), REASON)


async def test_what_jupyter_refuses_is_explained(inspector: Inspector) -> None:
    put = GET | {"method": "PUT", "confirmed": True, "fields": [["Cookie", "_xsrf=a"]]}
    async with upstream(says(REFUSED)) as jupyter:
        replay = Replay(inspector, no_rules, to(lambda: jupyter.address), lambda: "")
        number = await replay.send(put, exchange())
    one = inspector.ring.get(number)
    assert one is not None
    assert (one.status, one.symptom) == (403, "xsrf-lost")
    assert "X-XSRFToken is missing" in one.explanation
    assert one.content_down is None
    assert "s3cret" not in str(one.details())


FORBIDDEN = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
LOGIN = [("Host", "lab.example.org"), ("Cookie", "[redacted]")]
LOGGED_IN = exchange(received=CapturedHead("GET /lab HTTP/1.1", tuple(LOGIN)))
OF_A_PAGE = [["Cookie", "login=[redacted]"], ["Sec-Fetch-Site", "same-origin"]]


@pytest.mark.parametrize("through", ["rules", "upstream"])
@pytest.mark.parametrize("token", ["", "wrong"])
async def test_what_was_sent_without_its_login_says_so(through: str, token: str) -> None:
    async with upstream(says(FORBIDDEN)) as jupyter, edge(jupyter.address) as labgate:
        inspector = Inspector(labgate.captured, labgate.dispatcher.services.use_recorder)
        inspector.switch(CaptureOptions())
        send = partial(send_through_rules, labgate.dispatcher, labgate.captured)
        sender = Replay(inspector, send, to(lambda: jupyter.address), lambda: "")
        again = {"target": "/api/contents", "fields": OF_A_PAGE, "through": through}
        number = await sender.send(GET | again | {"token": token}, LOGGED_IN)
    one = labgate.captured.get(number)
    assert one is not None
    assert (one.status, one.peer) == (403, "the inspector")
    if token:
        assert one.symptom == "login-refused"
    else:
        assert one.symptom == "login-missing"
        assert "sent this again without credentials, which are never captured" in one.explanation


@pytest.mark.parametrize("through", ["rules", "upstream"])
async def test_it_is_explained_once(through: str, caplog: pytest.LogCaptureFixture) -> None:
    async with upstream(says(FORBIDDEN)) as jupyter, edge(jupyter.address) as labgate:
        inspector = Inspector(labgate.captured, labgate.dispatcher.services.use_recorder)
        inspector.switch(CaptureOptions())
        inspector.ring.listen(ExplanationLog(), failures=True)
        send = partial(send_through_rules, labgate.dispatcher, labgate.captured)
        sender = Replay(inspector, send, to(lambda: jupyter.address), lambda: "")
        again = {"target": "/api/contents", "fields": OF_A_PAGE, "through": through}
        await sender.send(GET | again, LOGGED_IN)
    said = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert [line.partition(":")[0] for line in said] == ["login-missing"]


@pytest.mark.parametrize("through", ["rules", "upstream"])
@pytest.mark.parametrize(
    ("original", "symptom"),
    [
        (LOGGED_IN, "login-missing"),
        (exchange(), "xsrf-lost"),
        (exchange(outcome=READ_IN), "login-missing"),
        (exchange(peer="the inspector"), "login-missing"),
    ],
)
async def test_a_login_is_left_out_only_where_there_may_have_been_one(
    through: str, original: Exchange, symptom: str
) -> None:
    async with upstream(says(REFUSED)) as jupyter, edge(jupyter.address) as labgate:
        inspector = Inspector(labgate.captured, labgate.dispatcher.services.use_recorder)
        inspector.switch(CaptureOptions())
        send = partial(send_through_rules, labgate.dispatcher, labgate.captured)
        sender = Replay(inspector, send, to(lambda: jupyter.address), lambda: "")
        again = {"method": "POST", "target": "/login", "fields": [], "confirmed": True}
        number = await sender.send(again | {"through": through}, original)
    one = labgate.captured.get(number)
    assert one is not None
    assert (one.status, one.symptom, one.peer) == (403, symptom, "the inspector")
    assert ("sent this again without" in one.explanation) is (symptom == "login-missing")


async def test_nobody_there_is_explained(inspector: Inspector) -> None:
    nobody = UpstreamAddress("127.0.0.1", 1)
    replay = Replay(inspector, no_rules, to(lambda: nobody), lambda: "")
    one = inspector.ring.get(await replay.send(GET, exchange()))
    assert one is not None
    assert (one.status, one.symptom) == (0, "upstream-down")
    assert "http://127.0.0.1:1 did not answer" in one.explanation
