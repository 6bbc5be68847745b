"""``[[routes]]``: a Jupyter with a name, or a path, of its own beside others.

Tested by tests/config/test_routes.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, field_validator, model_validator

from proxy.config.section import Section
from proxy.config.sections import UpstreamSettings, distinct_domains, web_origins
from proxy.config.types import Names, NetworkList
from proxy.net.upstream_address import UpstreamAddress

_PATH = re.compile(r"/|(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/")
_OWN = ("/.labgate/", "/.well-known/")


def route_name(number: int) -> str:
    """A table of ``[[routes]]`` by its place in the file, as people count; ``number`` is from 0."""
    return f"[[routes]] #{number + 1}"


def _url_alone(value: object) -> object:
    """Accept the address of an upstream in place of the table."""
    return {"url": value} if isinstance(value, str) else value


class RouteSettings(Section):
    """One of ``[[routes]]``.

    What is left out of ``upstream`` is as ``[upstream]`` has it, ``htpasswd`` and ``allow`` are
    those of ``[access]``, and ``domains`` those of ``[site]``. What loosens a check counts for no
    other route: its default is the one of ``[site]``, and not its value.
    """

    domains: Names = ()
    path: str = "/"
    strip_prefix: bool = False
    upstream: Annotated[UpstreamSettings, BeforeValidator(_url_alone)] = UpstreamSettings()
    htpasswd: str | None = None
    allow: NetworkList | None = None
    rewrite: Literal["rewrite", "preserve"] = "rewrite"
    canonical_redirect: bool = False
    websocket_without_origin: bool = False
    embed_in: Names = ()

    @field_validator("domains")
    @classmethod
    def _well_formed(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        return distinct_domains(domains)

    @field_validator("embed_in")
    @classmethod
    def _origins(cls, sites: tuple[str, ...]) -> tuple[str, ...]:
        return web_origins(sites)

    @field_validator("path")
    @classmethod
    def _whole_segments(cls, path: str) -> str:
        closed = path if path.endswith("/") else f"{path}/"
        if not _PATH.fullmatch(closed) or {".", ".."} & set(closed.split("/")):
            raise ValueError(
                f"{path!r} is not a path of whole segments that needs no encoding; "
                "write for example /ada/"
            )
        if closed.startswith(_OWN):
            raise ValueError(f"{path!r} is for paths of labgate's own; choose another one")
        return closed

    @model_validator(mode="after")
    def _leads_somewhere(self) -> RouteSettings:
        if not self.upstream.url:
            raise ValueError('upstream is missing; write for example "http://127.0.0.1:8888"')
        base_path = self.upstream.address.base_path
        if self.strip_prefix and self.path == "/":
            raise ValueError(
                "strip_prefix = true, and path is /: there is no prefix to strip; leave one out"
            )
        if not self.strip_prefix and self.path != "/" and base_path not in ("/", self.path):
            raise ValueError(
                f"upstream: {self.upstream.url} says that the base_url is {base_path}, but "
                f"requests come with the path {self.path}: start that Jupyter with "
                f"--ServerApp.base_url={self.path}, and name it with that path or with none; or "
                "set strip_prefix = true for a program that knows of no prefix"
            )
        return self

    def login(self, common: Path | None) -> Path | None:
        """The htpasswd file; ``common`` is that of ``[access]``."""
        if self.htpasswd is None:
            return common
        return Path(self.htpasswd) if self.htpasswd else None

    def address_of(self, upstream: UpstreamSettings) -> UpstreamAddress:
        """Where it leads; a path that is kept is Jupyter's base_url.

        Args:
            upstream: What ``merged_upstream`` returned.
        """
        address = upstream.address
        kept = self.path != "/" and not self.strip_prefix
        return replace(address, base_path=self.path) if kept else address

    def merged_upstream(self, common: UpstreamSettings) -> UpstreamSettings:
        """Its upstream, with what it leaves out as ``[upstream]`` has it."""
        given = self.upstream.model_fields_set
        own: dict[str, Any] = {key: getattr(self.upstream, key) for key in given}
        return common.model_copy(update=own)
