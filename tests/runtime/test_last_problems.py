from __future__ import annotations

import logging

from proxy.runtime.last_problems import (
    MAX_PROBLEMS,
    MAX_TEXT_CHARACTERS,
    OF_ONE_REQUEST,
    keep_last_problems,
    last_problems,
)

log = logging.getLogger("labgate")


def test_warnings_and_errors_are_kept() -> None:
    keep_last_problems()
    keep_last_problems()  # does not keep them twice
    log.info("said")
    log.warning("a %s\nand its second line", "warning")
    log.error("x" * 1000)
    warning, error = last_problems()[-2:]
    assert (warning.level, warning.text) == ("warning", "a warning")
    assert (error.level, error.text) == ("error", "x" * MAX_TEXT_CHARACTERS)
    assert warning.at <= error.at


def test_the_last_ones_are_kept() -> None:
    keep_last_problems()
    for number in range(MAX_PROBLEMS + 3):
        log.warning("number %d", number)
    kept = last_problems()
    assert len(kept) == MAX_PROBLEMS
    assert kept[-1].text == f"number {MAX_PROBLEMS + 2}"


def test_what_is_wrong_with_one_request_pushes_no_problem_out() -> None:
    keep_last_problems()
    log.error("the certificate cannot be renewed")
    for number in range(MAX_PROBLEMS):
        log.warning("refused %d", number, extra=OF_ONE_REQUEST)
    assert last_problems()[-1].text == "the certificate cannot be renewed"
