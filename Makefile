# make up      Jupyter on https://localhost:8443      (ARGS="--domain lab.example.org" for the real thing)
# make test    the tests                               (ARGS="tests/rules -x" for some of them)
# make test-all  the same, the doctor at many proxies, the image and whole services, and again
#                with aiohttp's server in front, over HTTP/2 and in Firefox
# make check   style and types
# make bench   labgate beside nginx, Caddy, HAProxy …   (ARGS=--help for what it takes)
# make mutants which changes of the code no test finds  (ARGS=rules for one folder; may take hours)
# make lock    the pinned versions in .ci/, again      (ARGS=--upgrade for newer ones)
#
# Needs make and Python 3.11 or newer; everything else goes into .venv.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

.DEFAULT_GOAL := up
.PHONY: up test test-all test-proxies test-deployment test-jupyterhub test-aiohttp test-http2 test-firefox check bench mutants lock
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Exactly the locked files, by hash. Build isolation would fetch an unlocked build backend,
# so the locked one is installed beside the rest. -qq also drops what pip says about the
# machine's own package indexes; errors are still shown.
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --no-input -qq
INSTALL_LOCKED := $(PIP) install --require-hashes -r .ci/build.lock -r
INSTALL_LABGATE := $(PIP) install --no-deps --no-build-isolation --editable .

# On a terminal labgate gets a process group of its own: Ctrl-C is for labgate alone, and make
# reports how it ended. In make's group, make would end by the signal and not with 0.
up: $(VENV)/up.stamp
	@if [ -t 0 ]; then set -m; $(VENV)/bin/labgate up $(ARGS); else exec $(VENV)/bin/labgate up $(ARGS); fi

# All of them run in several processes, a file's tests in one; some of them in this one.
AT_ONCE := -n auto --dist loadfile --no-loadscope-reorder --durations=25 --durations-min=3

test: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m pytest $(if $(filter tests%,$(ARGS)),,$(AT_ONCE)) $(ARGS)

# What clients can tell the front by, with listen.server = "aiohttp" in place of the default.
ON_AIOHTTP := --front aiohttp -m "not slow and not load and not docker and not deployment" \
    tests/wire tests/web tests/proxying tests/access tests/net tests/observe \
    $(addprefix tests/e2e/test_,$(addsuffix .py,balancers basic_auth bodies crowds ends evil_page \
    kosoku lab pages refused second slow_clients stop websocket workers workers_under_load))

# What labgate answers on the wire as a route of somebody else's aiohttp application.
MOUNTED := --front mounted --ignore tests/wire/test_http2.py tests/wire

# What a browser does, with listen.http2; and what tests ask in HTTP/1.1 that HTTP/2 can ask as
# well, through a gateway.
ON_HTTP2 := --front http2 -m "not slow and not load and not docker" \
    $(addprefix tests/cache/test_,$(addsuffix .py,gzip_copies if_range static_cache)) \
    tests/compression/test_compressed_response.py tests/wire/test_responses.py \
    $(addprefix tests/e2e/test_,$(addsuffix .py,basic_auth bodies evil_page kosoku lab pages upgrade \
    websocket))

test-all: test test-proxies test-deployment test-jupyterhub test-aiohttp test-http2 test-firefox

# What labgate doctor says of real proxies, and what becomes of the lines it gives.
test-proxies: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m pytest $(AT_ONCE) -m proxies tests/doctor $(ARGS)

# What needs a Docker Engine: Jupyter in containers, the image, and labgate as a part of whole
# services: systemd, compose, JupyterHub.
test-deployment: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m pytest $(AT_ONCE) -n 2 --dist loadgroup \
	    -m "(docker or deployment) and not slow and not load and not proxies and not jupyterhub" tests $(ARGS)

# A JupyterHub whose users have containers, on one engine and on Docker Swarm, and rarer kinds of
# Hub: minutes that .ci/run has not. One after the other: an engine is in one swarm only.
test-jupyterhub: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m pytest -m jupyterhub tests/deployment $(ARGS)

test-aiohttp: $(VENV)/dev.stamp
	@$(VENV)/bin/python -m pytest $(AT_ONCE) $(ON_AIOHTTP) $(ARGS)
	@exec $(VENV)/bin/python -m pytest $(AT_ONCE) $(MOUNTED) $(ARGS)

test-http2: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m pytest $(AT_ONCE) $(ON_HTTP2) $(ARGS)

# JupyterLab in Debian's firefox-esr, over HTTP/2 and HTTP/1.1; without it they are skipped.
test-firefox: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m pytest -m firefox tests/e2e/test_firefox.py $(ARGS)

check: $(VENV)/dev.stamp
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/mypy --platform darwin --cache-dir .mypy_cache/darwin proxy
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	@$(VENV)/bin/check-jsonschema -q --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/idea.yml

# The proxies to compare with are never installed here: it says which it found.
bench: $(VENV)/dev.stamp
	@exec $(VENV)/bin/python -m tests.bench $(ARGS)

# mutmut brings a terminal interface and a parser of its own, which nothing else needs: so it is
# locked and installed apart, and finds the packages of the tests in $(VENV).
mutants: $(VENV)/dev.stamp $(VENV)/mutmut/made.stamp
	@exec $(VENV)/bin/python -m tests.mutants --tool $(abspath $(VENV)/mutmut) $(ARGS)

$(VENV)/mutmut/made.stamp: .ci/mutants.lock | $(VENV)/made.stamp
	@rm -rf $(VENV)/mutmut
	@$(INSTALL_LOCKED) .ci/mutants.lock --target $(VENV)/mutmut
	@touch $@

# The command line is read first, which needs none of what is installed: a mistyped option is told
# at once and not after the minute.
READ_ARGS = from sys import argv; from proxy.cli.arguments import parse_arguments; parse_arguments(argv[1:])

$(VENV)/up.stamp: .ci/up.lock .ci/build.lock pyproject.toml | $(VENV)/made.stamp
	@$(VENV)/bin/python -c '$(READ_ARGS)' up $(ARGS) >/dev/null
	@echo 'Preparing $(VENV) (once, about a minute) …' >&2
	@$(INSTALL_LOCKED) .ci/up.lock
	@$(INSTALL_LABGATE)
	@touch $@

# dev.lock holds everything that up.lock does, in the same versions.
$(VENV)/dev.stamp: .ci/dev.lock .ci/build.lock pyproject.toml | $(VENV)/made.stamp
	@echo 'Preparing $(VENV) for the tests (once, about a minute) …' >&2
	@$(INSTALL_LOCKED) .ci/dev.lock
	@$(INSTALL_LABGATE)
	@touch $@ $(VENV)/up.stamp

$(VENV)/made.stamp:
	@command -v '$(PYTHON)' >/dev/null || { \
	    echo "labgate needs Python 3.11 or newer, and there is no $(PYTHON) here: install it, or name yours with PYTHON=python3.12." >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "labgate needs Python 3.11 or newer, and $(PYTHON) is older ($$('$(PYTHON)' --version 2>&1)): name a newer one with PYTHON=python3.12." >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian, Ubuntu: apt-get install python3-venv)." >&2; exit 1; }
	@'$(PYTHON)' -m venv $(VENV)
	@touch $@

# Every lock agrees with dev.lock, because it constrains the others.
# Neither the header nor an index address is written: they would tell where this was run.
COMPILE = $(VENV)/lock/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
    --no-header --no-emit-index-url --no-emit-find-links $(ARGS)

lock: $(VENV)/lock/bin/uv
	@$(COMPILE) pyproject.toml --extra jupyter --group dev -o .ci/dev.lock
	@$(COMPILE) pyproject.toml --extra jupyter -c .ci/dev.lock --no-annotate -o .ci/up.lock
	@$(COMPILE) pyproject.toml -c .ci/dev.lock --no-annotate -o .ci/runtime.lock
	@printf 'hatchling\neditables\n' | $(COMPILE) - -c .ci/dev.lock --no-annotate -o .ci/build.lock
	@printf 'mutmut\n' | $(COMPILE) - -c .ci/dev.lock --no-annotate -o .ci/mutants.lock
	@printf 'sslyze\ncertbot\nmitmproxy\nnodejs-wheel-binaries\ntraefik-bin\n' | $(COMPILE) - --no-annotate -o .ci/tools.lock

$(VENV)/lock/bin/uv: | $(VENV)/made.stamp
	@'$(PYTHON)' -m venv $(VENV)/lock
	@$(VENV)/lock/bin/python -m pip --disable-pip-version-check --no-input -qq install uv
