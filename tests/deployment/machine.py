"""A machine with systemd as process 1 and labgate installed from a wheel: a container.

What a service manager does, only a service manager can show. Ports of the machine are published
on loopback.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.conftest import INSTALL_DOCKER, require
from tests.e2e.containers import docker
from tests.e2e.programs import ROOT, until
from tests.engine_names import LABEL, PREFIX, new_name
from tests.jupyter.image import SCRIPT
from tests.package_index import package_index

DEBIAN = "labbase:bookworm"
MAKE_DEBIAN = (
    f"docker pull python:3.11-slim-bookworm && docker tag python:3.11-slim-bookworm {DEBIAN}"
)

DOCKERFILE = f"""
FROM {DEBIAN}
LABEL {LABEL}={PREFIX}
RUN apt-get -q update \\
 && apt-get install -qy --no-install-recommends curl systemd systemd-sysv util-linux \\
 && rm -rf /var/lib/apt/lists/*
COPY authorities.pem pip.conf runtime.lock /build/
RUN python3 -m venv /opt/labgate \\
 && PIP_CONFIG_FILE=/build/pip.conf /opt/labgate/bin/python -m pip install -q \\
    --require-hashes -r /build/runtime.lock
COPY stand_in.py /opt/stand_in.py
COPY jupyter.service /etc/systemd/system/
RUN systemctl enable -q jupyter.service
COPY *.whl /build/
RUN /opt/labgate/bin/python -m pip install -q --no-deps --no-index /build/*.whl \\
 && ln -s /opt/labgate/bin/labgate /usr/local/bin/labgate
CMD ["sh", "-c", "mount --make-rshared / && exec /sbin/init"]
"""
# systemd mounts the credentials of a service in a namespace of their own, and they reach the
# service by shared propagation (mount_namespaces(7)). A kernel's systemd sees to that; one in a
# container leaves it to the engine, which makes everything private.

NEWER_SYSTEMD = """
FROM {image}
RUN find /etc/apt -name '*.list' -o -name '*.sources' | xargs sed -i s/bookworm/trixie/ \\
 && apt-get -q update \\
 && apt-get install -qy --no-install-recommends systemd systemd-sysv \\
 && rm -rf /var/lib/apt/lists/*
"""

# It refuses to run as root, as Jupyter does.
JUPYTER = """
[Service]
User=nobody
ExecStart=/usr/bin/env python3 /opt/stand_in.py

[Install]
WantedBy=multi-user.target
"""

SYSTEMD = (
    *("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"),
    *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup", "--tmpfs", "/run"),
)
"""What systemd needs of the engine to come up in a container; fewer rights than --privileged."""


class Machine:
    """A running machine.

    Attributes:
        name: The container's.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *command: str, codes: Sequence[int] = (0,)) -> str:
        """Run a command as root; its whole output.

        Args:
            command: The command.
            codes: The exit codes that it may have.
        """
        ran = subprocess.run(
            ["docker", "exec", self.name, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode in codes, f"{command}: {ran.returncode}\n{ran.stdout}"
        return ran.stdout

    def succeeds(self, *command: str) -> bool:
        """Whether a command ends with 0."""
        asked = ["docker", "exec", self.name, *command]
        return subprocess.run(asked, capture_output=True, timeout=120, check=False).returncode == 0

    def write(self, path: str, content: str) -> None:
        """Replace a file; its folder must exist."""
        subprocess.run(
            ["docker", "exec", "--interactive", self.name, "sh", "-c", f"cat >{path}"],
            input=content,
            text=True,
            timeout=60,
            check=True,
        )

    def read(self, path: str) -> str:
        """The content of a file."""
        return self.run("cat", path)

    def port(self, inside: int) -> int:
        """The port of this host's loopback that leads to one of ``PUBLISHED``."""
        return int(docker("port", self.name, f"{inside}/tcp").splitlines()[0].rpartition(":")[2])

    def unit(self, name: str, field: str) -> str:
        """What systemd knows of a unit, as ``ActiveState`` or ``NRestarts``."""
        return self.run("systemctl", "show", "--value", "--property", field, name).strip()

    def journal(self, unit: str = "labgate") -> str:
        """The unit's log, with all that the unit wrote before this call."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "--output", "cat", "--unit", unit)

    def booted(self) -> Self:
        """Wait until systemd has started everything."""
        until(
            lambda: self.succeeds("systemctl", "is-system-running", "--quiet"),
            lambda: self.run("systemctl", "--failed", "--no-pager", codes=range(256)),
        )
        return self


PUBLISHED = (443, 80, 8443, 8080)


@contextmanager
def built_image(folder: Path) -> Iterator[str]:
    """The name of an image with systemd and this checkout's labgate; removed at the end.

    Args:
        folder: An empty one.
    """
    require(shutil.which("docker"), "no docker command", INSTALL_DOCKER)
    asked = subprocess.run(["docker", "image", "inspect", DEBIAN], capture_output=True, check=False)
    require(asked.returncode == 0, f"no Docker Engine, or no image {DEBIAN}", MAKE_DEBIAN)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    # A machine behind a proxy that re-signs TLS knows that proxy's authority.
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder / "authorities.pem")
    shutil.copy(ROOT / ".ci" / "runtime.lock", folder)
    shutil.copy(SCRIPT, folder / "stand_in.py")
    settings = f"[global]\nindex-url = {package_index()}\ncert = /build/authorities.pem\n"
    (folder / "pip.conf").write_text(settings)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "jupyter.service").write_text(JUPYTER)
    name = f"{new_name()}:systemd"
    docker("build", "--quiet", "--network", "host", "--tag", name, str(folder))
    try:
        yield name
    finally:
        docker("image", "rm", "--force", name)


@contextmanager
def with_newer_systemd(image: str, folder: Path) -> Iterator[str]:
    """The name of an image that has the systemd of Debian 13 on top; removed at the end.

    Args:
        image: One of ``built_image``.
        folder: An empty one.
    """
    (folder / "Dockerfile").write_text(NEWER_SYSTEMD.format(image=image))
    name = f"{new_name()}:newer-systemd"
    docker("build", "--quiet", "--network", "host", "--tag", name, str(folder))
    try:
        yield name
    finally:
        docker("image", "rm", "--force", name)


@contextmanager
def machine_of(image: str) -> Iterator[Machine]:
    """A machine that has booted, with a stand-in for Jupyter at http://127.0.0.1:8888."""
    name = new_name()
    ports = [word for port in PUBLISHED for word in ("--publish", f"127.0.0.1::{port}")]
    docker("run", "--detach", "--name", name, *SYSTEMD, *ports, image)
    try:
        yield Machine(name).booted()
    finally:
        docker("rm", "--force", "--volumes", name)
