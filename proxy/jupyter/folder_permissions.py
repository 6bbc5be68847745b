"""Checks whether the container's user can write to the mounted folders of the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

import aiodocker

from proxy.errors import StartError
from proxy.jupyter.container_spec import ContainerSpec, is_root
from proxy.jupyter.mounts import ContainerMount
from proxy.jupyter.temporary_container import temporary_container

_ABSENT = "bind source path does not exist"
_NOT_IN_THIS_NAMESPACE = "65534:"
"""The UID of an owner that the container's user namespace does not have."""
# Asked inside: only there user namespaces, rootless engines, access lists and a remote engine
# have the effect that they will have for Jupyter.
_SCRIPT = """
echo user $(id -u) $(id -g)
sed 's/^/uids /' /proc/self/uid_map
sed 's/^/gids /' /proc/self/gid_map
for folder; do
    [ -d "$folder" ] && [ -w "$folder" ] && [ -x "$folder" ] && can=yes || can=no
    echo folder $can $(stat -c %u:%g "$folder")
done
"""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The container's user, and its permissions.

    Attributes:
        uid: The UID inside the container.
        gid: The GID inside the container.
        owner: ``UID:GID`` of the same user on the host.
        folders: For every folder whether it is writable, and its ``UID:GID`` inside.
    """

    uid: int
    gid: int
    owner: str
    folders: tuple[tuple[bool, str], ...]


async def require_writable(
    docker: aiodocker.Docker,
    spec: ContainerSpec,
    mounts: tuple[ContainerMount, ...],
    image: Mapping[str, Any],
) -> None:
    """Check the folders of the host among ``mounts`` as the container's user.

    Args:
        docker: The engine.
        spec: Names image and user.
        mounts: All mounts of the container.
        image: The image's ``Config``.

    Raises:
        StartError: One is missing or not writable; with the commands to fix it.
    """
    bind_mounts = [mount for mount in mounts if mount.kind == "bind"]
    if not bind_mounts:
        return
    user = jupyter_user(image, spec.user)
    try:
        answer = await _probe(docker, spec, user, bind_mounts)
    except aiodocker.DockerError as error:
        gone = next(
            (m for m in bind_mounts if error.message.rstrip().endswith(m.source)), bind_mounts[0]
        )
        if _ABSENT not in error.message:
            raise
        owner, path = (await _probe(docker, spec, user, [])).owner, quote(gone.source)
        raise StartError(
            f"Folder {gone.source}, to be mounted at {gone.target}, does not exist. "
            f"Make it: sudo mkdir -p {path} && sudo chown {owner} {path}"
        ) from None
    for mount, (writable, owned_by) in zip(bind_mounts, answer.folders, strict=True):
        if not writable:
            raise StartError(_unwritable(mount, answer, owned_by))


def _unwritable(mount: ContainerMount, answer: ProbeResult, owned_by: str) -> str:
    other = ""
    if not is_root(owned_by) and not owned_by.startswith(_NOT_IN_THIS_NAMESPACE):
        other = f" Or run Jupyter as the folder's owner: --user {owned_by}"
    return (
        f"Folder {mount.source}, mounted at {mount.target}, cannot be written by the container's "
        f"user (UID {answer.uid}, GID {answer.gid}). "
        f"Give it to them: sudo chown {answer.owner} {quote(mount.source)}{other}"
    )


async def _probe(
    docker: aiodocker.Docker, spec: ContainerSpec, user: str, bind_mounts: list[ContainerMount]
) -> ProbeResult:
    body = {
        "Image": spec.image,
        "Entrypoint": ["sh", "-c"],
        "Cmd": [_SCRIPT, "sh", *(mount.target for mount in bind_mounts)],
        "User": user,
        "NetworkDisabled": True,
        "HostConfig": {
            "GroupAdd": ["users"] if user and not is_root(user) else [],
            "Mounts": [
                {"Type": "bind", "Source": mount.source, "Target": mount.target}
                for mount in bind_mounts
            ],
        },
    }
    async with temporary_container(docker, f"{spec.name}-labgate-check", body) as container:
        await container.start()
        await container.wait()
        return parse_probe_output("".join(await container.log(stdout=True)))


def parse_probe_output(text: str) -> ProbeResult:
    """Parse the output of the script."""
    values_of: dict[str, list[list[str]]] = {"uids": [], "gids": [], "folder": []}
    for line in text.splitlines():
        what, *values = line.split()
        values_of.setdefault(what, []).append(values)
    uid, gid = (int(number) for number in values_of["user"][0])
    return ProbeResult(
        uid,
        gid,
        f"{_id_on_host(uid, values_of['uids'])}:{_id_on_host(gid, values_of['gids'])}",
        tuple((can == "yes", owned_by) for can, owned_by in values_of["folder"]),
    )


def _id_on_host(number: int, id_map: list[list[str]]) -> int:
    """The id on the host (user_namespaces(7): each line is inside, outside, count)."""
    for line in id_map:
        inside, outside, count = (int(part) for part in line)
        if inside <= number < inside + count:
            return outside + number - inside
    return number


def jupyter_user(image: Mapping[str, Any], configured: str) -> str:
    """The user that Jupyter runs as; start.sh of jupyter/docker-stacks changes root to NB_UID."""
    named = dict(entry.partition("=")[::2] for entry in image.get("Env") or ())
    user = configured or image.get("User") or "0"
    if is_root(user) and "NB_UID" in named:
        return f"{named['NB_UID']}:{named.get('NB_GID', '100')}"
    return configured
