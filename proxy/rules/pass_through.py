"""What passes unchanged where the upstreams know their public origins themselves.

A JupyterHub does: its cookies, its OAuth and its checks of Origin are made for the public name, and
it wants Host, Origin and Referer as the browser sent them. Tested by tests/rules/test_hub_heads.py
and tests/rules/test_hub_requests.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .head import Field


@dataclass(frozen=True, slots=True)
class PassThrough:
    """How heads pass.

    Attributes:
        check_origins: Check Host, Origin and Sec-Fetch-Site against the site's public origin.
        subdomains: With ``check_origins``, each name below the public one is a site of its own.
        tls: Whether clients come over TLS.
        forwarded: Append to X-Forwarded-For, -Port and -Proto; remove X-Real-IP and X-Scheme.
        set_fields: Set in each request, in place of the client's fields of the same names.
        location_host: In a Location that names the upstream, write the host of the request.
        location_scheme: In such a Location, write this scheme; empty leaves it.
    """

    check_origins: bool = False
    subdomains: bool = False
    tls: bool = False
    forwarded: bool = True
    set_fields: tuple[Field, ...] = ()
    location_host: bool = False
    location_scheme: Literal["http", "https", ""] = ""
