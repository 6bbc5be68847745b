"""Images of a JupyterHub, for what runs its users, or itself too, in containers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import INSTALL_DOCKER, PULL_TEST_IMAGE, TEST_IMAGE, require
from tests.deployment.hub_users import SETTINGS, WORK
from tests.deployment.image import answers, docker
from tests.deployment.machine import DEBIAN
from tests.e2e.programs import ROOT
from tests.e2e.test_lab import NOTEBOOK
from tests.engine_names import LABEL, PREFIX, new_name
from tests.package_index import package_index

JUPYTERHUB = "jupyterhub>=5,<7"
PIP = "PIP_CONFIG_FILE=/build/pip.conf python3 -m pip install -q --no-cache-dir"

# Its health check asks for a Jupyter at the root, and Swarm ends what is not healthy; that of the
# image which it stands for asks the server where it is.
USER = f"""
FROM {TEST_IMAGE}
LABEL {LABEL}={PREFIX}
USER root
COPY authorities.pem pip.conf /build/
RUN {PIP} '{JUPYTERHUB}'
COPY --chown=jovyan:users settings /opt/settings
COPY --chown=jovyan:users {WORK} /home/jovyan/
ENV JUPYTERLAB_SETTINGS_DIR=/opt/settings SHELL=/bin/bash
USER jovyan
HEALTHCHECK NONE
"""

# In the place of the official image, which has no more than that and what it needs.
HUB_BASE = f"""
FROM {DEBIAN}
LABEL {LABEL}={PREFIX}
COPY authorities.pem pip.conf /build/
RUN python3 -m venv /opt/hub && PATH=/opt/hub/bin:$PATH {PIP} '{JUPYTERHUB}'
ENV PATH=/opt/hub/bin:$PATH PIP_CONFIG_FILE=/build/pip.conf
WORKDIR /srv/jupyterhub
"""


@contextmanager
def built_user_image(folder: Path) -> Iterator[str]:
    """What a user's server runs in: Lab, JupyterHub's part of it, and a notebook."""
    require(answers("image", "inspect", TEST_IMAGE), f"no image {TEST_IMAGE}", PULL_TEST_IMAGE)
    (folder / WORK).write_text(json.dumps(NOTEBOOK))
    for name, said in SETTINGS.items():
        path = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(said))
    with _built(folder, USER) as name:
        yield name


@contextmanager
def built_hub_image(folder: Path) -> Iterator[str]:
    """What config/swarm/hub.Dockerfile makes."""
    require(answers("image", "inspect", DEBIAN), f"no image {DEBIAN}", INSTALL_DOCKER)
    name = f"{new_name()}:hub"
    with _built(folder, HUB_BASE) as base:
        docker(
            *("build", "--quiet", "--network", "host", "--tag", name),
            *("--build-arg", f"JUPYTERHUB_IMAGE={base}"),
            *("--file", str(ROOT / "config/swarm/hub.Dockerfile"), str(folder)),
            timeout=500,
        )
        try:
            yield name
        finally:
            answers("image", "rm", "--force", name)


@contextmanager
def _built(folder: Path, text: str) -> Iterator[str]:
    # A machine behind a proxy that re-signs TLS knows that proxy's authority.
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", folder / "authorities.pem")
    settings = f"[global]\nindex-url = {package_index()}\ncert = /build/authorities.pem\n"
    (folder / "pip.conf").write_text(settings)
    (folder / "Dockerfile").write_text(text)
    name = f"{new_name()}:jupyterhub"
    docker("build", "--quiet", "--network", "host", "--tag", name, str(folder), timeout=500)
    try:
        yield name
    finally:
        answers("image", "rm", "--force", name)
