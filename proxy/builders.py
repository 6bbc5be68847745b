"""What an application is made of, as the configuration wants it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.access.gate import Gate
from proxy.access.htpasswd import Htpasswd
from proxy.access.lockout import Lockout
from proxy.access.revoked_sessions import RevokedFile
from proxy.access.session import Sessions, session_key
from proxy.certs.sources import hosts_of, sources_of
from proxy.certs.status import status_file
from proxy.certs.store import CertificateStore
from proxy.config.settings import Settings
from proxy.net.limits import Limits
from proxy.net.ports import Ports, bind
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.model import Site, make_site
from proxy.rules.networks import Networks
from proxy.runtime.memory import room_for
from proxy.tls.context import Handshakes

if TYPE_CHECKING:
    from proxy.workers.share import Share

log = logging.getLogger("labgate")


def fitting(limits: Limits, settings: Settings) -> Limits:
    """No more connections than there are descriptors for: who comes then is told, not left.

    Where they are so few, one address gets half of them at most, so that others get in.
    """
    fit = room_for(limits.connections)
    if fit < limits.connections and "connections" in settings.limits.model_fields_set:
        log.warning(
            "limits.connections is %d, and there are descriptors for %d: raise what labgate may "
            "open (LimitNOFILE= in a service, ulimits of a container, ulimit -n in a shell)",
            limits.connections,
            fit,
        )
    if fit == limits.connections:
        return limits
    most = min(limits.connections_per_address, max(1, fit // 2))
    return replace(limits, connections=fit, connections_per_address=most)


def site_of(settings: Settings, upstream: UpstreamAddress) -> Site:
    """The rules' view of the configuration."""
    return make_site(
        settings.origins,
        upstream.origin,
        preserve=settings.site.rewrite == "preserve",
        canonical_redirect=settings.site.canonical_redirect,
        websocket_without_origin=settings.site.websocket_without_origin,
        base_path=upstream.base_path,
        challenges=settings.acme.webroot is not None
        or (settings.listen.tls and not settings.local),
        hsts_seconds=settings.hsts_seconds,
        allow=Networks(settings.access.allow),
        trusted_proxies=Networks(settings.access.trusted_proxies),
        gated=settings.access.htpasswd is not None,
    )


def ports_of(settings: Settings) -> Ports:
    """Bind every port.

    Raises:
        StartError: One is not to be had.
    """
    optional = () if settings.listen.bind else settings.bind
    main_port = settings.https_port if settings.listen.tls else settings.http_port
    main_flag = "--https-port" if settings.listen.tls else "--http-port"
    main = bind(settings.bind, main_port, main_flag, optional=optional)
    if not (settings.listen.tls and settings.http_port):
        return Ports(main, [])
    try:
        flag = "--http-port (0 for none)"
        return Ports(main, bind(settings.bind, settings.http_port, flag, optional=optional))
    except BaseException:
        for opened in main:
            opened.close()
        raise


def store_of(settings: Settings, *, worker: bool = False) -> CertificateStore:
    """The certificates; those of a worker are made and told about by its supervisor."""
    sources = sources_of(settings)
    if worker:
        sources = [replace(source, make=None) for source in sources]
    return CertificateStore(
        sources,
        Handshakes(settings.tls.unknown_name),
        hosts_of(settings),
        None if worker else status_file(settings.state_folder),
    )


def gate_of(settings: Settings, share: Share | None = None) -> Gate | None:
    """Who is asked for a password; None where there is nothing to ask and nothing to count.

    Raises:
        StartError: The htpasswd file cannot be read, or is malformed.
    """
    access = settings.access
    if access.htpasswd is None and not access.login_failures:
        return None
    lockout = Lockout(access.login_failures, access.lockout_seconds)
    if share is not None:
        lockout = share.lockout
    digest_key = None if share is None else share.digest_key
    if access.htpasswd is None:
        return Gate(lockout, key=digest_key)
    htpasswd = Htpasswd(access.htpasswd)
    if share is not None:
        sessions = Sessions(share.session_key, share.revoked)
        return Gate(lockout, htpasswd, sessions, digest_key, share.revoke)
    kept = RevokedFile(settings.state_folder)
    sessions = Sessions(session_key(settings.state_folder), kept.revoked)
    return Gate(lockout, htpasswd, sessions, revoke=kept.save)
