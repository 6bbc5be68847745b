"""``[jupyter]``: the Jupyter that ``labgate up`` launches.

Tested by tests/config/test_load.py and tests/config/test_problems.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import ValidationInfo, field_validator, model_validator

from proxy.config.section import Section
from proxy.config.types import Port, Seconds, memory_bytes, split_mount

DEFAULT_IMAGE = "quay.io/jupyter/scipy-notebook:2025-03-14"
DEFAULT_WORK_FOLDER = "/home/jovyan/work"

_MOUNT_EXAMPLES = {
    "volume": f"jupyter-work:{DEFAULT_WORK_FOLDER}",
    "home": "jupyter-home:/home/jovyan",
}


class JupyterSettings(Section):
    """``[jupyter]``: the Jupyter that ``labgate up`` launches."""

    launch: Literal["auto", "docker", "process", "none"] = "auto"
    image: str = DEFAULT_IMAGE
    name: str = "jupyter"
    volume: str | None = None
    home: str = ""
    recreate: bool = False
    password: str = ""
    user: str = ""
    memory_limit: str = ""
    port: Port = 0
    folder: Path | None = None
    start_timeout_seconds: Seconds = 120.0

    @field_validator("name")
    @classmethod
    def _a_container(cls, name: str) -> str:
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", name):
            raise ValueError(
                f"{name!r} is not a container's name: letters, digits, and after the first of them "
                "_ . - too; write for example jupyter"
            )
        return name

    @field_validator("volume", "home")
    @classmethod
    def _mounts(cls, text: str | None, field: ValidationInfo) -> str | None:
        if text:
            split_mount(text, _MOUNT_EXAMPLES[field.field_name or ""])
        return text

    @field_validator("user")
    @classmethod
    def _numbers(cls, user: str) -> str:
        if user and not re.fullmatch(r"(\d+|root)(:\d+)?", user):
            raise ValueError(f"{user!r} is neither UID nor UID:GID; write for example 1000:100")
        return user

    @model_validator(mode="after")
    def _one_mount_at_a_place(self) -> JupyterSettings:
        if self.volume != "" and self.home:
            work = split_mount(self.volume)[1] if self.volume else DEFAULT_WORK_FOLDER
            home = split_mount(self.home)[1]
            if work == home:
                raise ValueError(
                    f"jupyter.volume and jupyter.home are both mounted at {home}; "
                    "drop one of them: a volume mounted there is the home"
                )
        return self

    @field_validator("memory_limit")
    @classmethod
    def _memory(cls, text: str) -> str:
        memory_bytes(text)
        return text

    @field_validator("password")
    @classmethod
    def _hashed(cls, value: str) -> str:
        from proxy.config.password_hash import problem_with_jupyter_hash  # noqa: PLC0415  argon2 only if used

        if value and (problem := problem_with_jupyter_hash(value)):
            raise ValueError(problem)
        return value
