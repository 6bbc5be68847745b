from __future__ import annotations

from pathlib import Path
from typing import Any

import aiodocker
import pytest

from proxy.check.jupyter import check_jupyter
from proxy.check.verdict import Level, Verdict
from proxy.config.settings import Settings
from tests.e2e.programs import free_port
from tests.engine_names import new_name
from tests.upstreams import OK, Visit, upstream


async def checked(**sections: Any) -> list[Verdict]:
    settings = Settings.model_validate(sections)
    return [verdict async for verdict in check_jupyter(settings)]


async def test_an_upstream_that_is_not_there() -> None:
    port = free_port()
    (verdict,) = await checked(upstream={"url": f"http://127.0.0.1:{port}"})
    assert verdict.level is Level.FAULT
    nothing = f"Nothing answers at http://127.0.0.1:{port} (Connection refused). Start Jupyter"
    assert verdict.text.startswith(nothing)


async def test_an_upstream_that_is_no_jupyter() -> None:
    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK)

    async with upstream(answer) as other:
        (verdict,) = await checked(upstream={"url": str(other.address)})
    assert verdict.level is Level.FAULT
    assert "is no Jupyter, or has another base_url" in verdict.text


async def test_no_engine_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (verdict,) = await checked(jupyter={"launch": "docker"})
    assert verdict.level is Level.FAULT
    assert "Docker Engine not reachable" in verdict.text
    folder = tmp_path / "missing"
    engine, process = await checked(jupyter={"launch": "auto", "folder": folder})
    assert engine.level is Level.REMARK
    assert process.level is Level.FAULT
    assert f"Work folder {folder} does not exist" in process.text


@pytest.mark.docker
@pytest.mark.usefixtures("docker")
async def test_an_image_that_is_pulled_first() -> None:
    name = new_name()
    jupyter = {"launch": "docker", "name": name, "image": f"{name}:none"}
    engine, image = await checked(jupyter=jupyter)
    assert engine.level is Level.GOOD
    assert image.level is Level.REMARK
    assert "the first start pulls it" in image.text


@pytest.mark.docker
async def test_a_container_of_somebody_else(docker: aiodocker.Docker, stand_in: str) -> None:
    name = new_name()
    container = await docker.containers.create({"Image": stand_in}, name=name)
    try:
        _, verdict = await checked(jupyter={"launch": "docker", "name": name})
    finally:
        await container.delete(force=True)
    assert verdict.level is Level.FAULT
    assert f"Container {name} was not made by labgate" in verdict.text


async def test_a_route_that_does_not_answer_has_a_reason() -> None:
    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK)

    async with upstream(answer) as other:
        nothing, wrong, any_program = await checked(
            site={"domains": ["localhost"]},
            routes=[
                {"path": "/none", "upstream": f"http://127.0.0.1:{free_port()}"},
                {"path": "/lab", "upstream": str(other.address)},
                {"path": "/any", "upstream": str(other.address), "strip_prefix": True},
            ],
        )
    assert [nothing.level, wrong.level] == [Level.FAULT, Level.FAULT]
    remedy = "start it, or write where it is ([[routes]] #1 upstream)"
    assert f"nothing answers there (Connection refused): {remedy}" in nothing.text
    assert wrong.text.endswith(
        ", which does not answer: it is no Jupyter, or has another base_url than /lab/: start it "
        "with --ServerApp.base_url=/lab/, or correct [[routes]] #2 upstream."
    )
    assert any_program.text.endswith(", which answers.")
