"""``python -m tests.fuzz -runs=100000 [FOLDER …]``: the target under atheris.

Guided by the coverage of what decides over a head; the options are libFuzzer's.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["proxy.rules", "proxy.http1.request_parser"]):
    from tests.fuzz.head import check

atheris.Setup(sys.argv, check)
atheris.Fuzz()
