"""The test image with a stand-in for Jupyter: its start costs little, and so does a look at it.

The engine compares all files of a container with those of its image when it is asked what
changed. What no test needs is therefore left out.
"""

from __future__ import annotations

import fcntl
import io
import tarfile
from pathlib import Path

from proxy.jupyter.engine import connect_engine
from tests.engine_names import new_name

# A health check would run programs in the containers, for which nobody asks here.
DOCKERFILE = """
FROM {base}
HEALTHCHECK NONE
USER root
RUN rm -rf /opt/conda/share /opt/conda/lib/python3*/site-packages /usr/share
COPY start-notebook.py /usr/local/bin/start-notebook.py
USER jovyan
"""
SCRIPT = Path(__file__).with_name("stand_in.py")


def context(base: str) -> io.BytesIO:
    """What the engine builds from."""
    files = {
        "Dockerfile": DOCKERFILE.format(base=base).encode(),
        "start-notebook.py": SCRIPT.read_bytes(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed


async def build(base: str) -> str:
    """Build it on the test image, under a name that nobody else uses; the name.

    One at a time: for all who come later the engine has it already.
    """
    name = f"{new_name()}:stand-in"
    docker = await connect_engine()
    try:
        with SCRIPT.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            await docker.images.build(fileobj=context(base), encoding="identity", tag=name)
    finally:
        await docker.close()
    return name


async def remove(name: str) -> None:
    docker = await connect_engine()
    try:
        await docker.images.delete(name, force=True)
    finally:
        await docker.close()
