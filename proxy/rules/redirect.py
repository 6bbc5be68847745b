"""Redirects from plain HTTP to HTTPS, from other domains to the canonical one, and to a folder.

Tested by tests/rules/test_decide.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from .authority import host_only
from .decision import Redirect
from .head import RequestHead
from .site import Site, WebOrigin


def to_https(head: RequestHead, site: Site) -> Redirect:
    """The redirect of a plain HTTP request to HTTPS.

    A configured domain is kept, unless ``site.canonical_redirect`` is set; any other goes to the
    canonical domain. The Location never repeats the client's Host: that would be an open redirect.
    """
    destination = site.canonical
    if not site.canonical_redirect:
        hosts = {host_only(value) for value in head.values(b"host")}
        destination = next(
            (origin for origin in site.domains if origin.host.encode("ascii") in hosts), destination
        )
    return redirect(head, destination)


def to_canonical(head: RequestHead, site: Site) -> Redirect | None:
    """The redirect to the canonical domain, if it is configured and the request names another."""
    if not site.canonical_redirect:
        return None
    host = head.values(b"host")[0].lower()
    if site.authorities[host] == site.canonical:
        return None
    return redirect(head, site.canonical)


def to_folder(head: RequestHead, site: Site) -> Redirect | None:
    """The redirect to the path of a route, from the same path without a slash at its end."""
    if not names_folder(head.target, site):
        return None
    path, question, query = head.target.partition(b"?")
    public = site.authorities[head.values(b"host")[0].lower()]
    return redirect(replace(head, target=path + b"/" + question + query), public)


def names_folder(target: bytes, site: Site) -> bool:
    """Whether a target is the path of a route without the slash at its end."""
    return bool(site.folder) and target.partition(b"?")[0] == site.folder


def redirect(head: RequestHead, destination: WebOrigin) -> Redirect:
    """Redirect with the same path and query: 301 for GET and HEAD, 308 for other methods.

    308 preserves method and content (RFC 9110 sections 15.4.2 and 15.4.9).
    """
    status: Literal[301, 308] = 301 if head.method in (b"GET", b"HEAD") else 308
    return Redirect(status, f"{destination}{location_path(head.target)}")


def location_path(target: bytes) -> str:
    """The path and query of a request target, encoded for a Location.

    The target is in origin-form, or ``*``: for OPTIONS of the server as a whole.
    """
    if target == b"*":
        return "/"
    return "".join(chr(byte) if 0x21 <= byte <= 0x7E else f"%{byte:02X}" for byte in target)
