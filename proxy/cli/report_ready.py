"""Tells people and the service manager that everything is ready.

Tested by tests/e2e/test_up.py and tests/e2e/test_routes.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from proxy.certs.development_ca import authority_file
from proxy.cli.ready_lines import Reader, print_ready, ready_lines
from proxy.cli.signals import runs_interactively
from proxy.jupyter.launcher import Launched
from proxy.runtime.sd_notify import sd_notify
from proxy.service.live_configuration import LiveConfiguration, Serving


def report_ready(
    configuration: LiveConfiguration,
    app: Serving,
    jupyter: Launched | None,
    waiting: Sequence[str] = (),
) -> None:
    """Report to people and to the service manager that everything is ready.

    Args:
        configuration: The one in force.
        app: The application or the supervisor.
        jupyter: The site's; None if all are in ``[[routes]]``.
        waiting: Sentences about what is not available yet.
    """
    settings = configuration.settings
    store = app.certificates
    made = store is not None and store.managed[0].source.kind == "development"
    authority = authority_file(settings.state_folder) if made else None
    interactive = runs_interactively()
    reader = Reader(terminal=interactive and os.isatty(2), interactive=interactive)
    lines = ready_lines(settings, jupyter, authority, reader)
    lines[-1:-1] = [("Waiting", wait) for wait in waiting]
    for entry in store.managed if store is not None else ():
        if entry.temporary:
            place = f"a certificate at {entry.source.cert}"
            if entry.source.kind == "ACME":
                place = f"the certificate for {entry.name} from {settings.acme.directory}"
            wait = f"for {place}; a temporary one serves until then"
            lines.insert(-1, ("Waiting", wait))
    print_ready(lines)
    sd_notify("READY=1")
    configuration.ready.set()
