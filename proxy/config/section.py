"""What every section of the configuration is.

Tested by tests/config/test_problems.py.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """The base of all sections: frozen, and without unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)
