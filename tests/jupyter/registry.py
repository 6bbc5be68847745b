"""A registry with one image in it, for a real engine to pull from."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.engine_names import new_name

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


REFUSALS = {
    "UNAUTHORIZED": (401, {"WWW-Authenticate": 'Basic realm="labgate"'}),
    "DENIED": (403, {}),
    "TOOMANYREQUESTS": (429, {}),
}


def digest(blob: bytes) -> str:
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def layer(size: int) -> tuple[bytes, str]:
    """A layer nobody has yet: its bytes, and the digest of what is in them."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo(f"noise-{os.urandom(4).hex()}")
        entry.size = size
        tar.addfile(entry, io.BytesIO(os.urandom(size)))
    return gzip.compress(archive.getvalue(), 1), digest(archive.getvalue())


@asynccontextmanager
async def registry(
    *sizes: int, lost: bool = False, stuck: bool = False, refusal: str = ""
) -> AsyncIterator[str]:
    """Serve an image of layers of these sizes; gives its name.

    Args:
        sizes: Bytes of each layer.
        lost: The last layer cannot be downloaded.
        stuck: The last layer never comes.
        refusal: Answer everything with this error of the protocol.
    """
    layers = [layer(size) for size in sizes]
    root = {"type": "layers", "diff_ids": [inner for _, inner in layers]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": root}).encode()
    blobs = {digest(blob): blob for blob in [config, *(outer for outer, _ in layers)]}
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(config),
                "digest": digest(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "size": len(outer),
                    "digest": digest(outer),
                }
                for outer, _ in layers
            ],
        }
    ).encode()
    if lost:
        del blobs[digest(layers[-1][0])]

    async def answer(request: web.BaseRequest) -> web.Response:
        if refusal:
            status, headers = REFUSALS[refusal]
            errors = {"errors": [{"code": refusal, "message": refusal.lower()}]}
            return web.json_response(errors, status=status, headers=headers)
        if request.path == "/v2/":
            return web.json_response({})
        if "/manifests/" in request.path and request.path.endswith(("/1", digest(manifest))):
            headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": digest(manifest)}
            return web.Response(body=manifest, headers=headers)
        if stuck and request.path.endswith(digest(layers[-1][0])):
            await asyncio.Event().wait()
        if (blob := blobs.get(request.path.rpartition("/")[2])) is not None:
            return web.Response(body=blob)
        return web.json_response({"errors": [{"code": "MANIFEST_UNKNOWN"}]}, status=404)

    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}/{new_name()}/noise:1"
    finally:
        await runner.cleanup()
