"""What a worker gets of the limits, and what is kept on the way to it."""

from __future__ import annotations

import json

from proxy.config.settings import Settings
from proxy.workers.limits import divide_limits


def test_the_limits_in_all_are_divided_and_rounded_up() -> None:
    given = {"limits": {"connections": 5, "requests": 1, "head": 9000}}
    limits = divide_limits(Settings.model_validate(given), 2).limits
    assert (limits.connections, limits.requests, limits.head) == (3, 1, 9000)
    assert limits.connections_per_address == 1000
    assert limits.requests_per_address == 250
    assert limits.model_fields_set == {"connections", "requests", "head"}


def test_settings_arrive_as_they_were_given() -> None:
    given = {
        "site": {"domains": ["lab.example.org"]},
        "access": {"allow": ["10.0.0.0/8", "::1"], "htpasswd": "/etc/labgate/users"},
        "acme": {"email": "me@example.org", "directory": "staging"},
        "limits": {"connections": 7},
        "listen": {"workers": 2, "bind": ["127.0.0.1"]},
    }
    settings = Settings.model_validate(given)
    sent = json.dumps(settings.model_dump(mode="json", exclude_unset=True))
    arrived = Settings.model_validate(json.loads(sent))
    assert arrived == settings
    assert arrived.limits.model_fields_set == {"connections"}
