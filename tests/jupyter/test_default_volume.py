from __future__ import annotations

from typing import Any

import pytest

from proxy.jupyter.container_spec import OURS_LABEL
from proxy.jupyter.default_volume import default_volume
from proxy.jupyter.mounts import ContainerMount

WORK = "/home/jovyan/work"
OWN, SHARED = (
    ContainerMount("volume", "b-work", WORK),
    ContainerMount("volume", "jupyter-work", WORK),
)


def container(source: str, *, ours: bool = True, target: str = WORK) -> dict[str, Any]:
    return {
        "Config": {"Labels": {OURS_LABEL: "1"} if ours else {}},
        "Mounts": [{"Type": "volume", "Name": source, "Destination": target}],
    }


@pytest.mark.parametrize(
    ("existing", "volumes", "mount", "remark"),
    [
        pytest.param(None, (), OWN, "", id="the first start on this machine"),
        pytest.param(None, ("b-work", "b-home"), OWN, "", id="its container was removed"),
        pytest.param(
            None, ("b-work", "b-home", "jupyter-work"), OWN, "", id="removed, another beside it"
        ),
        pytest.param(
            None, ("jupyter-work", "jupyter-home"), OWN, "gets a new volume b-work", id="a second"
        ),
        pytest.param(
            None,
            ("jupyter-work", "jupyter-home", "b-home"),
            OWN,
            "mounts that",
            id="a home of its name beside another Jupyter's work",
        ),
        pytest.param(None, ("b-home",), OWN, "", id="earlier, without a volume"),
        pytest.param(
            container("jupyter-work"), ("jupyter-work",), SHARED, "goes on with", id="earlier"
        ),
        pytest.param(
            container("jupyter-work"),
            ("jupyter-work", "b-work", "b-home"),
            SHARED,
            "goes on with",
            id="earlier, and a volume that somebody made",
        ),
        pytest.param(container("b-work"), ("b-work", "jupyter-work"), OWN, "", id="as it is now"),
        pytest.param(container("other"), ("other", "b-work"), OWN, "", id="was another"),
        pytest.param(
            container("jupyter-work", target="/elsewhere"),
            ("jupyter-work", "b-work"),
            OWN,
            "",
            id="mounted elsewhere",
        ),
        pytest.param(
            container("jupyter-work", ours=False), ("jupyter-work", "b-work"), OWN, "", id="foreign"
        ),
    ],
)
def test_the_volume(
    existing: dict[str, Any] | None, volumes: tuple[str, ...], mount: ContainerMount, remark: str
) -> None:
    chosen = default_volume("b", existing, volumes)
    assert chosen.mount == mount
    assert bool(chosen.remark) == bool(remark)
    assert remark in chosen.remark


@pytest.mark.parametrize("volumes", [(), ("jupyter-work", "jupyter-home")])
def test_the_usual_name_keeps_its_volume(volumes: tuple[str, ...]) -> None:
    assert default_volume("jupyter", None, volumes) == (SHARED, "")
