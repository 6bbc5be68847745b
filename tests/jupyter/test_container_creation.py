"""What is saved in the home survives: upgrades, replacements, removals; on a real engine."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiodocker
import pytest
from rich.console import Console

from proxy.config.password_hash import hash_passphrase
from proxy.errors import StartError
from proxy.jupyter.container_files import ContainerFiles
from proxy.jupyter.container_spec import OURS_LABEL
from proxy.jupyter.migration import COPY_LABEL, MARKER_FILE, FolderMigration
from proxy.jupyter.mounts import ContainerMount, Folders, folders_to_copy, mounts_of
from proxy.jupyter.readiness import wait_until_ready
from tests.conftest import TEST_IMAGE, require
from tests.jupyter.place import HOME, READY_SECONDS, WORK, Place
from tests.jupyter.visits import read, save

pytestmark = pytest.mark.docker

# Everything a home can hold that is awkward to copy.
FILL = f"""
cd {HOME}
mkdir -p .local/lib/python3.11/site-packages .jupyter 'a folder/...'
echo '{{"cells": []}}' > book.ipynb
echo installed > .local/lib/python3.11/site-packages/mine.py
echo setting > .jupyter/settings.json
echo hidden > 'a folder/.../-x'
echo 1 > one && ln one another && ln -s ../../../srv/data leaves && ln -s /opt/conda absolute
ln -s nowhere dangling
python3 - <<'END'
import os, socket
odd = (b'bad\\xff\\xfename', b'new\\nline', 'ünï ❤'.encode(), b'n' * 255, b'.wh.x', b'* ?')
for name in odd:
    open(name, 'wb').write(name)
deep = '/'.join(['d' * 200] * 6)
os.makedirs(deep)
open(deep + '/deep', 'w').write('deep')
os.mkfifo('fifo')
socket.socket(socket.AF_UNIX).bind('socket')
with open('sparse', 'wb') as sparse:
    sparse.truncate(8 << 20)
open('locked', 'w').write('x'); os.chmod('locked', 0)
open('tool', 'w').write('x'); os.chmod('tool', 0o6755)
open('big', 'wb').write(os.urandom(5 << 20))
END
echo mounted > work/mounted.txt
"""
FILL_AS_ROOT = f"cd {HOME} && echo root > roots && chmod 600 roots && mknod zero c 1 5"

# Name, kind, mode, owner, size, target and hash of everything in the home but the mounts.
LIST = f"""
cd {HOME} && find . -path ./work/'*' -prune -o ! -name {MARKER_FILE} ! -type s \
    \\( -type d -printf '%p %y %m %U:%G\\0' -o -printf '%p %y %m %U:%G %s %n %l\\0' \\) \
    | sort -z | tr '\\0' '\\n'
find . -path ./work/'*' -prune -o ! -name {MARKER_FILE} -type f -print0 \
    | sort -z | xargs -0 sha256sum
"""


async def listing(place: Place) -> list[str]:
    """The home as a person sees it who looks at everything, as far as Jupyter leaves it alone."""
    output = await place.run(LIST, user="root")
    return [
        line
        for line in output.split("\n")
        if not re.search(r"jupyter|\.ipython|\.local|\. d", line)
    ]


async def first_version(place: Place, **how: Any) -> list[str]:
    """A filled container of the first version; what its home looks like."""
    await place.of_the_first_version(**how)
    await place.run(FILL)
    await place.run(FILL_AS_ROOT, user="root")
    filled = await listing(place)
    assert any("book.ipynb" in line for line in filled)
    return filled


@asynccontextmanager
async def looking_into(place: Place, volume: str) -> AsyncIterator[str]:
    """The name of a container that only has this volume, at /v."""
    name = f"{place.name}-looking"
    mount: Any = {
        "Type": "volume",
        "Source": volume,
        "Target": "/v",
        "VolumeOptions": {"NoCopy": True},
    }
    container = await place.docker.containers.create(
        {
            "Image": place.image,
            "Cmd": ["sleep", "300"],
            "User": "root",
            "HostConfig": {"Mounts": [mount]},
        },
        name=name,
    )
    try:
        await container.start()
        yield name
    finally:
        await container.delete(force=True)


async def test_the_home_of_the_first_version_is_taken_along(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = await first_version(place)
    _, launched = await place.launched(recreate=True)
    assert launched.description.endswith(", replaced")
    assert await listing(place) == before
    home = f"{place.name}-home"
    assert launched.work_location == f"{HOME} in volume {home}; {WORK} in volume {place.name}"
    assert await place.run("cat work/mounted.txt") == "mounted"
    assert f"home: was the container alone, will be volume {home}" in caplog.text
    assert f"{HOME} copied to volume {home} and checked, there as {HOME} in the new" in caplog.text
    assert await place.all() == {place.name: "running"}, "no container is left over"
    async with looking_into(place, home) as name:
        assert await place.run("ls /v/work", name=name) == "", "what is mounted is copied nowhere"
        assert "whole" in await place.run(f"cat /v/{MARKER_FILE}", name=name)


async def test_a_stopped_one_is_taken_along_too(place: Place) -> None:
    before = await first_version(place)
    await place.docker.containers.container(place.name).stop(t=10)
    await place.launched(recreate=True)
    assert await listing(place) == before


@pytest.mark.deployment
@pytest.mark.parametrize(
    ("state", "size", "output"),
    [
        # Nothing holds on to a tmpfs that no container has mounted: the copy is gone again.
        ("running", "64m", r"is not the same in the copy"),
        ("exited", "1m", r"no space left on device"),
        ("paused", "1m", r"no space left on device"),
    ],
)
async def test_a_copy_that_fails_changes_nothing(
    place: Place, state: str, size: str, output: str
) -> None:
    before = await first_version(place)
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={size}"}
    await place.docker.volumes.create(  # type: ignore[no-untyped-call]
        {"Name": f"{place.name}-home", "Driver": "local", "DriverOpts": options}
    )
    container = place.docker.containers.container(place.name)
    if state == "exited":
        await container.stop(t=10)
    elif state == "paused":
        await place.pause()
    identity = (await place.inspect())["Id"]
    launcher = await place.launcher(recreate=True)
    with pytest.raises(StartError, match=output) as caught:
        await launcher.launch()
    assert "so nothing was replaced" in str(caught.value)
    await launcher.stop()
    assert await place.all() == {place.name: state}
    assert (await place.inspect())["Id"] == identity
    if state == "paused":
        await container.unpause()
    elif state == "exited":
        await container.start()
    assert await listing(place) == before


@pytest.mark.deployment
async def test_a_copy_that_is_given_up_changes_nothing_and_is_made_later(place: Place) -> None:
    before = await first_version(place)
    await place.run(f"dd if=/dev/zero of={HOME}/zeros bs=1M count=400 2>&1")
    launcher = await place.launcher(recreate=True)
    launching = asyncio.ensure_future(launcher.launch())
    carriers = f'{{"label":["{COPY_LABEL}={place.name}-home"]}}'
    begun = None
    while begun is None:
        for carrier in await place.docker.containers.list(all=1, filters=carriers):
            with suppress(aiodocker.DockerError):
                begun = await ContainerFiles(place.docker, carrier.id).read_text(
                    f"{HOME}/{MARKER_FILE}"
                )
    launching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launching
    await launcher.stop()
    assert await place.all() == {place.name: "running"}
    assert await place.docker.containers.list(all=1, filters=carriers) == []
    await place.run(f"rm {HOME}/zeros")
    assert await listing(place) == before
    await place.launched(recreate=True)
    await place.run(f"rm -f {HOME}/zeros")  # of the copy that was given up
    assert await listing(place) == before


@pytest.mark.deployment
async def test_an_unfinished_copy_is_finished_where_it_is(place: Place) -> None:
    """labgate was killed while it copied: the volume holds a part, a helper is left over."""
    before = await first_version(place)
    identity = (await place.inspect())["Id"]
    home = f"{place.name}-home"
    async with looking_into(place, home) as name:
        mark = f"labgate's copy of {HOME} of container {identity}: unfinished"
        await place.run(f'echo "{mark}" > /v/{MARKER_FILE}; echo half > /v/book.ipynb', name=name)
    await place.docker.containers.create(
        {"Image": place.image, "Labels": {COPY_LABEL: home}}, name=f"{place.name}-left-over"
    )
    half_made: Any = {"Image": place.image, "Labels": {OURS_LABEL: "1"}}
    await place.docker.containers.create(half_made, name=f"{place.name}-labgate-next")
    await place.launched(recreate=True)
    assert await listing(place) == before
    assert await place.all() == {place.name: "running"}


async def test_a_replacement_that_does_not_start_is_copied_for_anew(place: Place) -> None:
    """The copy was whole, but work went on in the earlier container since."""
    await first_version(place)
    identity = (await place.inspect())["Id"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        launcher = await place.launcher(recreate=True, port=taken.getsockname()[1])
        with pytest.raises(StartError, match="address already in use"):
            await launcher.launch()
    await launcher.stop()
    assert await place.all() == {place.name: "running"}
    assert (await place.inspect())["Id"] == identity
    await place.run("echo newer > book.ipynb")
    before = await listing(place)
    await place.launched(recreate=True)
    assert await listing(place) == before


async def test_what_the_engine_left_out_is_noticed(place: Place) -> None:
    """It logs what it cannot read, and ends the archive as if nothing were missing."""
    await first_version(place)
    existing = await place.inspect()
    (move,) = folders_to_copy(
        (Folders(), mounts_of(existing)), (Folders(), (ContainerMount("volume", "x", HOME),))
    )
    taking = FolderMigration(place.docker, existing, move, Console(file=place.progress))
    files = ContainerFiles(place.docker, existing["Id"])
    records = dict(await files.read(HOME, lambda _: None))
    assert await taking.unreadable_file(records) == "", "a socket is nothing to keep"
    for name in ("a folder/.../-x", "bad\udcff\udcfename", "dangling"):
        less = {path: record for path, record in records.items() if path != name}
        assert len(less) == len(records) - 1
        assert (await taking.unreadable_file(less)).startswith(f"{HOME}/{name[:3]}")


async def test_newer_work_in_the_volume_is_never_overwritten(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    before = await first_version(place)
    identity = (await place.inspect())["Id"]
    async with looking_into(place, f"{place.name}-home") as name:
        await place.run("echo newer > /v/book.ipynb && chown -R 1000:100 /v", name=name)
    await place.launched(recreate=True)
    assert await place.run(f"cat {HOME}/book.ipynb") == "newer"
    aside = f"{HOME}/earlier-home-{identity[:12]}"
    assert f"checked, there as {aside} in the new container" in caplog.text
    again = (await place.run(LIST.replace(f"cd {HOME}", f"cd {aside}"), user="root")).split("\n")
    assert set(before) - {"./work d 755 1000:100"} <= set(again)


async def test_volumes_without_a_name_stay(place: Place) -> None:
    await place.of_the_first_version(
        Mounts=[{"Type": "volume", "Target": WORK}], RestartPolicy={"Name": "no"}
    )
    (mount,) = (await place.inspect())["Mounts"]
    await place.run(f"echo kept > {WORK}/kept.txt")
    await place.launched(recreate=True)
    try:
        async with looking_into(place, mount["Name"]) as name:
            assert await place.run("cat /v/kept.txt", name=name) == "kept"
    finally:
        volume = await place.docker.volumes.get(mount["Name"])  # type: ignore[no-untyped-call]
        await volume.delete()


@pytest.fixture
async def other_image(place: Place) -> AsyncIterator[str]:
    """Another image's name; the layers are the same."""
    await place.docker.images.tag(place.image, place.name, tag="1")
    yield f"{place.name}:1"
    await place.docker.images.delete(f"{place.name}:1", force=True)


@pytest.mark.deployment
async def test_the_home_survives_everything_that_replaces(place: Place, other_image: str) -> None:
    launcher, launched = await place.ready()
    await save(launched.address, launched.login.token, "saved where Lab opened.txt", "kept")
    await place.run(f"mkdir -p {HOME}/.local/bin && echo tool > {HOME}/.local/bin/tool")
    changes: list[dict[str, Any]] = [
        {"memory_limit": "1g", "volume": f"{place.name}-other:{WORK}"},
        {"password": hash_passphrase("open sesame"), "volume": ""},
        {"image": other_image},
        {},
    ]
    for change in changes:
        await launcher.stop()
        launcher, launched = await place.launched(**change)
        assert launched.description.endswith(", replaced"), change
        output = await place.run(f"cat '{HOME}/saved where Lab opened.txt' {HOME}/.local/bin/tool")
        assert output == "kepttool", change
    await place.docker.containers.container(place.name).delete(force=True)
    await launcher.stop()
    _, launched = await place.ready()
    assert launched.description.endswith(", created")
    output = await read(launched.address, launched.login.token, "saved where Lab opened.txt")
    assert output == "kept"
    assert await place.volumes() == {place.name, f"{place.name}-home", f"{place.name}-other"}


async def test_what_lies_outside_the_home_is_lost_only_when_somebody_agrees(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    launcher, _ = await place.launched()
    made = "mkdir -p /opt/conda/lib/new && touch /opt/conda/lib/new/module.py /srv/data.csv"
    await place.run(made, user="root")
    await launcher.stop()
    identity = (await place.inspect())["Id"]
    lost = "Lost with it: packages installed with conda or pip (/opt/conda), files in /srv."
    differs = f"Container {place.name} differs (memory limit: was none, will be 1 GiB). {lost}"

    # Nobody can be asked.
    launcher, launched = await place.launched(memory_limit="1g")
    assert launched.description.endswith(", started as it is")
    assert f"{differs} It goes on as it is; --recreate replaces it." in caplog.messages
    assert await place.run("ls /srv") == "data.csv"
    await launcher.stop()

    # Ctrl-C at the question.
    asked: asyncio.Queue[str] = asyncio.Queue()

    async def hesitates(question: str) -> bool:
        await asked.put(question)
        await asyncio.Event().wait()
        raise AssertionError

    place.confirm = hesitates
    launcher = await place.launcher(memory_limit="1g")
    launching = asyncio.ensure_future(launcher.launch())
    assert await asked.get() == f"{differs} Replace it?"
    launching.cancel()
    await asyncio.wait({launching})
    assert f"Container {place.name} is not replaced and stays as it was." in caplog.messages
    assert (await place.inspect())["Id"] == identity

    async def agrees(_: str) -> bool:
        return True

    place.confirm = agrees
    _, launched = await place.launched(memory_limit="1g")
    assert launched.description.endswith(", replaced")
    assert f"Container {place.name} is replaced. {lost}" in caplog.messages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of this machine that nobody but root can write."""
    require(os.geteuid() == 0, "only root can give a folder to somebody else", "run it as root")
    for above in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        above.chmod(0o755)
    folder = tmp_path / "ada"
    folder.mkdir(mode=0o755)
    return folder


def follow(remedy: str) -> None:
    """Do what an error says to do."""
    command = remedy.replace("sudo ", "")
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0


@pytest.mark.parametrize("key", ["home", "volume"])
async def test_a_folder_that_jupyter_cannot_write(place: Place, folder: Path, key: str) -> None:
    target = HOME if key == "home" else WORK
    settings: dict[str, Any] = {key: f"{folder}:{target}"}
    launcher = await place.launcher(**settings)
    with pytest.raises(StartError) as caught:
        await launcher.launch()
    said = str(caught.value)
    assert f"Folder {folder}, mounted at {target}, cannot be written" in said
    assert "(UID 1000, GID 100)" in said
    assert await place.all() == {}
    remedy = said.rpartition(": ")[2]
    assert remedy == f"sudo chown 1000:100 {folder}"
    follow(remedy)
    launched = await launcher.launch()
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    path = "x.txt" if key == "home" else "work/x.txt"
    await save(launched.address, launched.login.token, path, "saved")
    assert (folder / "x.txt").read_text() == "saved"


async def test_a_folder_that_does_not_exist(place: Place, folder: Path) -> None:
    missing = folder / "of nobody"
    launcher = await place.launcher(home=f"{missing}:{HOME}")
    with pytest.raises(StartError, match="does not exist") as caught:
        await launcher.launch()
    follow(str(caught.value).partition("Make it: ")[2])
    launched = await launcher.launch()
    await wait_until_ready(launcher, launched.address, READY_SECONDS)
    await launcher.stop()
    # Gone again: an error at every start, not a new folder of root's.
    await asyncio.to_thread(subprocess.run, ["rm", "-r", str(missing)], check=True)
    launcher = await place.launcher(home=f"{missing}:{HOME}")
    with pytest.raises(StartError, match=r"^Folder .* does not exist\. Make it: "):
        await launcher.launch()


@pytest.mark.deployment
async def test_jupyter_as_the_folders_owner(place: Place, folder: Path) -> None:
    os.chown(folder, 4321, 4321)
    launcher = await place.launcher(home=f"{folder}:{HOME}")
    with pytest.raises(StartError) as caught:
        await launcher.launch()
    user = str(caught.value).rpartition("--user ")[2]
    assert user == "4321:4321"
    _, launched = await place.ready(image=TEST_IMAGE, home=f"{folder}:{HOME}", user=user)
    await save(launched.address, launched.login.token, "x.txt", "saved")
    assert (folder / "x.txt").stat().st_uid == 4321


@pytest.mark.deployment
async def test_the_home_moves_to_an_empty_folder(place: Place, folder: Path) -> None:
    launcher, _ = await place.launched()
    await place.run("echo first > x.txt")
    await launcher.stop()
    os.chown(folder, 1000, 100)
    launcher, _ = await place.launched(home=f"{folder}:{HOME}")
    assert (folder / "x.txt").read_text() == "first\n"
    await place.run("echo second > x.txt")
    await launcher.stop()
    # And back: the volume is in use, so what it holds is what is there.
    await place.launched()
    assert await place.run("cat x.txt") == "first"
    assert (folder / "x.txt").read_text() == "second\n"
