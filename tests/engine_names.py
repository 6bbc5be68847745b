"""Names on the Docker Engine, and that nothing is left there which has one.

Each test removes what it made. A run that is killed cannot: so a program of its own waits for the
end of this process, however it ends, and removes whatever still has one of its names.
"""

from __future__ import annotations

import functools
import itertools
import os
import secrets
import shutil
import subprocess

PREFIX = f"labgate-test-{secrets.token_hex(4)}"
"""How the names of this process begin: of containers, volumes, networks and images; also the
value of ``LABEL`` on images that have no name."""

LABEL = "org.labgate.test"

_numbers = itertools.count(1)

_REMOVE = """
exec 3<&0
(
    cat <&3
    docker ps --all --quiet --filter "name=^/$1" | xargs -r docker rm --force --volumes
    docker network ls --quiet --filter "name=^$1" | xargs -r docker network rm
    docker volume ls --quiet --filter "name=^$1" | xargs -r docker volume rm --force
    docker image ls --format '{{.Repository}}:{{.Tag}}' \
        --filter "reference=$1*" --filter "reference=*/$1*/*" | xargs -r docker image rm --force
    docker image prune --force --filter "label=$2=$1"
) <&3 &
"""


def new_name() -> str:
    """A name that nobody else uses."""
    _remove_at_the_end()
    return f"{PREFIX}-{next(_numbers):04}"


@functools.cache
def _remove_at_the_end() -> int:
    """Returns the descriptor that is open for as long as this process lives."""
    reading, writing = os.pipe()
    if shutil.which("docker"):
        subprocess.run(
            ["sh", "-c", _REMOVE, "sh", PREFIX, LABEL],
            stdin=reading,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )
    os.close(reading)
    return writing
