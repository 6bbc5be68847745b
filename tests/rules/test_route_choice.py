"""Which site a request is for: by every spelling of Host, then by the longest path."""

from __future__ import annotations

import pytest

from proxy.rules.head import RequestHead
from proxy.rules.route_choice import RouteChoice
from proxy.rules.site import Site, WebOrigin, make_site
from tests.heads import get

JUPYTER = WebOrigin("http", "127.0.0.1", 8888)


def site(*hosts: str) -> Site:
    return make_site(tuple(WebOrigin("https", host, 443) for host in hosts), JUPYTER)


@pytest.fixture
def choice() -> RouteChoice[str]:
    made = RouteChoice("elsewhere")
    made.add(site("lab.example.org", "www.example.org"), "/", "lab")
    made.add(site("lab.example.org"), "/ada/", "ada")
    made.add(site("lab.example.org"), "/ada/deep/", "deep")
    made.add(site("bob.example.org"), "/", "bob")
    made.add(site("eve.example.org"), "/eve/", "eve")
    return made


LAB, BOB, EVE = b"Host: lab.example.org", b"Host: bob.example.org", b"Host: eve.example.org"


@pytest.mark.parametrize(
    ("head", "chosen"),
    [
        pytest.param(get(LAB), "lab", id="the root"),
        pytest.param(get(LAB, target=b"/lab/tree"), "lab", id="a path below it"),
        pytest.param(get(LAB, target=b"/ada/lab"), "ada", id="a path of a route"),
        pytest.param(get(LAB, target=b"/ada"), "ada", id="without the slash"),
        pytest.param(get(LAB, target=b"/ada?x"), "ada", id="with a query"),
        pytest.param(get(LAB, target=b"/%61da/lab"), "ada", id="encoded"),
        pytest.param(get(LAB, target=b"/adam"), "lab", id="whole segments only"),
        pytest.param(get(LAB, target=b"/x?/ada/"), "lab", id="a path in the query"),
        pytest.param(get(LAB, target=b"/ada/deep/x"), "deep", id="the longest one"),
        pytest.param(get(LAB, target=b"//ada/lab"), "elsewhere", id="two slashes"),
        pytest.param(get(LAB, target=b"/%2Fada/lab"), "elsewhere", id="two slashes, one encoded"),
        pytest.param(get(LAB, target=b"/ada///deep/x"), "elsewhere", id="three slashes between"),
        pytest.param(get(LAB, target=b"//x//ada"), "lab", id="two slashes before another path"),
        pytest.param(get(LAB, target=b"/ada//x//"), "ada", id="two slashes behind a route"),
        pytest.param(get(LAB, target=b"//"), "lab", id="two slashes and nothing"),
        pytest.param(get(EVE, target=b"//"), "elsewhere", id="the same with nothing at the root"),
        pytest.param(get(BOB, target=b"//ada/"), "bob", id="two slashes at a name without routes"),
        pytest.param(get(LAB, target=b"/%2561da/lab"), "lab", id="encoded twice"),
        pytest.param(get(b"Host: LAB.example.ORG:443", target=b"/ada/"), "ada", id="spelled out"),
        pytest.param(
            get(b"Host: www.example.org", target=b"/ada/"), "lab", id="another name of it"
        ),
        pytest.param(get(BOB, target=b"/ada/"), "bob", id="a path of another name"),
        pytest.param(get(b"Host: bob.example.org:444"), "elsewhere", id="another port"),
        pytest.param(get(b"Host: x.example.org"), "elsewhere", id="an unknown name"),
        pytest.param(get(), "elsewhere", id="no Host"),
        pytest.param(get(LAB, BOB), "elsewhere", id="two Hosts"),
        pytest.param(get(EVE), "elsewhere", id="nothing at the root"),
        pytest.param(
            get(LAB, target=b"https://bob.example.org/ada/"),
            "bob",
            id="absolute-form overrides Host",
        ),
        pytest.param(get(LAB, target=b"/ada/#x"), "ada", id="a fragment, which is refused there"),
        pytest.param(get(LAB, target=b"ada"), "elsewhere", id="no form of a target"),
        pytest.param(get(LAB, target=b"*", method=b"OPTIONS"), "lab", id="the server as a whole"),
    ],
)
def test_chosen(choice: RouteChoice[str], head: RequestHead, chosen: str) -> None:
    assert choice.find(head) == chosen
