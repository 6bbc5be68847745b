"""A proxy in front of Jupyter, as a process with a configuration."""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

from tests.conftest import require
from tests.doctor.certificates import PUBLIC, Certificates
from tests.doctor.configuration import Configuration
from tests.e2e.programs import Listening, free_port

LOGIN = "At the top of the location that redirects to the login"
"""A place of nginx's; empty, nothing redirects."""


class Proxy(Listening):
    """A proxy on a free port of both loopback addresses, over HTTPS; plain HTTP redirects to it.

    Args:
        folder: Its own.
        configuration: Its file.
        upstream: HOST:PORT of Jupyter.
        certificates: For its listener.
    """

    program: str
    package: str
    suffix = "conf"

    def __init__(
        self, folder: Path, configuration: Configuration, upstream: str, certificates: Certificates
    ) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.port = free_port()
        self.http_port = free_port()
        self.upstream = upstream
        self.certificates = certificates
        self.file = folder / f"{self.name}.{self.suffix}"
        self.configure(configuration)

    def configure(self, configuration: Configuration) -> None:
        """Take another configuration, from the next start on."""
        self.configuration = configuration
        self.file.write_text(self.text())

    def restart(self, configuration: Configuration) -> None:
        """Serve with another configuration, on the same port."""
        self.stop()
        self.configure(configuration)
        self.start()

    @classmethod
    def executable(cls) -> str:
        """Where the program is; the test is skipped where it is not."""
        found = shutil.which(cls.program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        require(found, f"no {cls.program}", f"apt-get install {cls.package}")
        assert found is not None
        return found

    def text(self) -> str:
        """The whole configuration file."""
        raise NotImplementedError

    def check(self) -> list[str]:
        """The command that checks the syntax of the configuration, and starts nothing."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"https://{PUBLIC}:{self.port}{self.configuration.path}"

    def at(self, place: str, depth: int) -> str:
        """The entries of a place, as a text of so many spaces in front of each line."""
        certificate = self.configuration.certificate
        known = {
            "upstream": self.upstream,
            "port": self.port,
            "http-port": self.http_port,
            "cert": self.certificates.cert(certificate),
            "key": self.certificates.key(certificate),
            "both": self.certificates.both(certificate),
        }
        entries = "\n".join(self.configuration.places[place])
        for name, value in known.items():
            entries = entries.replace(f"@{name}@", str(value))
        return textwrap.indent(entries, " " * depth).lstrip()
