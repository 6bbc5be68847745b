"""The web application behind the public ports."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from aiohttp import web

from proxy.web.challenges import challenge_file
from proxy.web.errors import error_responses
from proxy.web.health import READY_FOR_SECONDS, Readiness, health, ready
from proxy.web.logout import EndSessions, log_out, logout_page
from proxy.web.security import hide_server, security_fields


def make_app(
    *,
    upstream_answers: Callable[[], Awaitable[bool]],
    challenge_folders: Sequence[Path] = (),
    end_sessions: EndSessions | None = None,
    ready_for_seconds: float = READY_FOR_SECONDS,
) -> web.Application:
    """Everything that labgate answers itself on its public ports.

    Anybody on the internet reaches these routes: what belongs to an administrator has an
    application and a listener of its own.

    Args:
        upstream_answers: Asks Jupyter whether it answers.
        challenge_folders: Where files of HTTP-01 challenges lie, the first one first.
        end_sessions: Logs out; None where labgate asks for no password.
        ready_for_seconds: How long Jupyter's answer counts.
    """
    app = web.Application(middlewares=[security_fields, error_responses])
    app.on_response_prepare.append(hide_server)
    app.router.add_get("/.labgate/health", health)
    app.router.add_get("/.labgate/ready", ready(Readiness(upstream_answers, ready_for_seconds)))
    app.router.add_get("/.well-known/acme-challenge/{token}", challenge_file(challenge_folders))
    if end_sessions is not None:
        app.router.add_get("/.labgate/logout", logout_page)
        app.router.add_post("/.labgate/logout", log_out(end_sessions))
    return app
