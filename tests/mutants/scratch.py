"""A copy of the checkout in which mutmut works, so that the checkout itself never changes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.mutants.mutant import Mutant, mutants_of

ROOT = Path(__file__).parents[2]
SLOW = [
    "access/test_access_control.py::test_the_loop_goes_on_while_a_password_is_hashed",
    "cache/test_best_coding.py::test_a_large_file_takes_little_memory",
    "compression/test_compressed_response.py::test_a_client_that_does_not_read_holds_jupyter_back",
    "http1/test_endings.py::test_nothing_waits_for_the_garbage_collector",
    "http1/test_request_body.py::test_tiny_chunks_wait_as_what_they_contain",
    "http1/test_response_parser.py::test_each_client_gets_its_own_answer",
    "http1/test_response_parser.py::test_noise_is_no_answer",
    "http1/test_response_parser.py::test_what_looks_whole_is_what_a_strict_reading_says",
    "http1/test_server_connection.py::test_pipelined_requests_wait_as_octets",
    "inspector/test_recorder.py::test_counting_ends_with_the_last_one_that_was_open_before",
]
"""Left out: a survivor would wait for each of them, and through mutmut, which calls every function
by a detour, some take a minute."""
READS_THE_CODE = (
    "http1/test_connection_states.py::test_one_method_leads_into_each_of_labgates_states"
)
"""Left out, too: it counts assignments in a file, and mutmut has written each mutant into it."""
TESTS = {
    # test_purity reads the files of the rules, and finds mutmut's import in them.
    "rules": ["tests/rules", "--ignore=tests/rules/test_purity.py"],
    "access": ["tests/access"],
    # What the inspector, the compressor and a tunnel need of it is asked in their own tests.
    "proxying": [
        *("tests/proxying", "tests/compression", "tests/cache", "tests/wire/test_tunnels.py"),
        *("tests/wire/test_choreography.py", "tests/inspector/test_recorder.py"),
        *("tests/inspector/test_guard.py", "tests/access/test_access_control.py"),
        *(f"--deselect=tests/{test}" for test in SLOW if not test.startswith("http1/")),
    ],
    # Most of what http1 does is said in the corpus of tests/wire. HTTP/2 has another front, and
    # test_framing asks the same of whatever hypothesis thinks of, for many seconds.
    "http1": [
        *("tests/http1", "tests/wire", "--ignore=tests/wire/test_http2.py"),
        "--ignore=tests/wire/test_framing.py",
        *("tests/net/test_pending_connection.py", "tests/proxying/test_page_deadline.py"),
        f"--deselect=tests/{READS_THE_CODE}",
        *(f"--deselect=tests/{test}" for test in SLOW if test.startswith("http1/")),
    ],
}
"""The folders below ``proxy``, and the tests that mutants of each must fail."""

QUICK_TESTS = {
    "proxying": [
        f"tests/proxying/test_{name}.py"
        for name in (
            *("decision_cache", "forwarder", "forwarder_in_memory", "frame_walker", "messages"),
            *("open_requests", "page_deadline", "pool", "tunnel_keepalive"),
            *("outage", "pool_rules", "request_log", "responses", "router", "tunnel_ends"),
            *("activity", "stored_response", "upgrade", "recorded_request"),
        )
    ],
    "http1": [
        *(
            f"tests/http1/test_{name}.py"
            for name in (
                *("accepted_connection", "chunked_body", "client_connection_in_memory"),
                *("open_connections", "request_parser", "request_writer", "response_reading"),
                *("response_writer", "server", "server_connection_in_memory", "sized_body"),
            )
        ),
        "tests/http1/test_timeouts.py::test_a_wait_ends_after_its_limit",
        "--deselect=tests/http1/test_request_parser.py::test_cuts_do_not_matter",
        "--deselect=tests/http1/test_request_parser.py::test_any_input_is_split_alike",
    ],
}
"""Those of them that take milliseconds. They find most mutants, and the others take their time to
begin: pytest looks at each of a thousand tests before the first."""

SECONDS_PER_TEST = {"proxying": 20, "http1": 60}
"""Their mutants may wait for ever in a test, and the limit of mutmut is for all tests together."""


class Scratch:
    """A copy for the mutants of one folder.

    Args:
        path: Where the copy is or will be. Results of an earlier run in it are used again for
            functions that have not changed since.
        folder: The folder below ``proxy`` that is mutated.
        tool: The folder in which mutmut is installed.
        tests: What pytest is to run.
    """

    def __init__(self, path: Path, folder: str, tool: Path, tests: list[str]) -> None:
        self._path = path
        self._folder = folder
        self._tool = tool
        self._tests = tests

    def run(self, processes: int, sample: int | None, killed: Mapping[str, Mutant]) -> list[Mutant]:
        """Try the mutants; returns all of them.

        Args:
            processes: How many are tried at the same time.
            sample: Try this many, chosen evenly; None tries all.
            killed: Those that are known to be killed, by name; they are not tried.

        Raises:
            RuntimeError: mutmut stopped: the tests fail without a mutant, for example.
        """
        self._copy()
        # mutmut makes the mutants and times the tests, then stops: no mutant has this name.
        end = self._mutmut(processes, "none")
        chosen = [
            mutant
            for mutant in sorted(self._mutants(), key=_order)[:sample]
            if _known(mutant, killed) is None
        ]
        if not chosen and not killed:
            raise RuntimeError(f"mutmut made no mutants:\n{end}")
        # In a copy that was used before, tests may have been added for survivors.
        names = [mutant.name for mutant in chosen if mutant.exit_code is None or mutant.survived]
        if names:
            end = self._mutmut(processes, *names)
        tried = {mutant.name: mutant for mutant in self._mutants()}
        if any(tried[mutant.name].exit_code is None for mutant in chosen):
            raise RuntimeError(f"mutmut did not try every mutant:\n{end}")
        return [_known(mutant, killed) or mutant for mutant in tried.values()]

    def _copy(self) -> None:
        """Copy the files that git knows, with their present content, and configure mutmut.

        Of an earlier run only the results are left, so no file of then is tested.
        """
        results = {*(self._path / "mutants").rglob("*.meta")}
        results.add(self._path / "mutants" / "mutmut-stats.json")
        for old in self._path.rglob("*"):
            if old.is_file() and old not in results:
                old.unlink()
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split("\0")
        for name in filter(None, listed):
            source, target = ROOT / name, self._path / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        others = {name.partition("/")[0] for name in filter(None, listed)}
        settings = {
            "source_paths": [f"proxy/{self._folder}"],
            "also_copy": sorted(others),
            "pytest_add_cli_args": [
                *("-p", "no:cacheprovider", "-p", "tests.mutants.cleared_caches"),
                *self._limit_per_test(),
            ],
            "pytest_add_cli_args_test_selection": self._tests,
            # Seconds of a mutant's tests: (as measured without a mutant + 5) x 4.
            "timeout_constant": 5,
            "timeout_multiplier": 4,
            "use_git_change_detection": False,
            "track_dependencies": False,
        }
        with (self._path / "pyproject.toml").open("a") as file:
            file.write("\n[tool.mutmut]\n")
            # Strings, numbers, booleans and lists are the same in JSON and in TOML.
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())

    def _limit_per_test(self) -> list[str]:
        seconds = SECONDS_PER_TEST.get(self._folder)
        if seconds is None:
            return []
        limit = f"faulthandler_timeout={seconds}"
        return ["-o", limit, "-o", "faulthandler_exit_on_timeout=true"]

    def _mutmut(self, processes: int, *names: str) -> str:
        """Run mutmut for these mutants; returns the end of its output."""
        log = self._path / "mutmut.log"
        with log.open("w") as output:
            subprocess.run(
                [sys.executable, "-m", "mutmut", "run", f"--max-children={processes}", *names],
                cwd=self._path,
                env=os.environ | {"PYTHONPATH": str(self._tool)},
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return log.read_text("utf-8", "replace").replace("\r", "\n")[-3000:]

    def _mutants(self) -> list[Mutant]:
        top = self._path / "mutants" / "proxy"
        found: list[Mutant] = []
        for file in sorted((top / self._folder).rglob("*.py.spans")):
            name = file.relative_to(top).as_posix().removesuffix(".py.spans")
            found += mutants_of(top / f"{name}.py", name.replace("/", "."))
        return found


def _known(mutant: Mutant, killed: Mapping[str, Mutant]) -> Mutant | None:
    """The same mutant among those that are killed; a name alone changes with its function."""
    known = killed.get(mutant.name)
    return known if known is not None and known.key == mutant.key else None


def _order(mutant: Mutant) -> bytes:
    """An order without a pattern, in which a change of one function moves no other's mutants."""
    return hashlib.sha256(mutant.key.encode("utf-8")).digest()
