# The tasks of the project. `make help` lists them. Everything lives in .venv, which is made anew only when a lock changed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
# Tests mostly wait: for servers, for intervals. So many run side by side.
WORKERS ?= 2

# Two stamps: what `make demo` needs, and what a developer needs on top of it.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help demo test soak lint format bench docs lock postgres clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(RUNTIME) ## a live database with planted faults, watched (ARGS="--for 60" ends by itself)
	$(BIN)/monitor demo $(ARGS)

test: lint postgres ## linters, types and all tests but the long ones
	$(BIN)/python -m pytest -m "not soak" -n $(WORKERS) --dist worksteal $(ARGS) || \
		$(BIN)/python -m tests.again $$? "not soak"

# pytest says 5 when no test is marked soak: that is no failure.
soak: $(DEV) postgres ## the long tests
	$(BIN)/python -m pytest -m soak $(ARGS) || \
		{ status=$$?; [ $$status -eq 5 ] || $(BIN)/python -m tests.again $$status soak; }

lint: $(DEV) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## what the monitor costs, measured
	$(BIN)/python -m benchmarks $(ARGS)
	$(BIN)/python -m benchmarks.texts
	$(BIN)/python -m benchmarks.sessions
	$(BIN)/python -m benchmarks.tables
	$(BIN)/python -m benchmarks.auth_links
	$(BIN)/python -m benchmarks.auth_sweeps
	$(BIN)/python -m benchmarks.pages
	$(BIN)/python -m benchmarks.shadow
	$(BIN)/python -m benchmarks.shapes --daemon 9
	$(BIN)/python -m benchmarks.extras

docs: $(DEV) ## the dashboards and the table of metrics, built from Python
	$(BIN)/python -m dashboards.build
	$(BIN)/python -m dashboards.metrics

# Without npm the tests of the missing versions skip with a reason; under CI they fail.
postgres: $(DEV)
	@if command -v npm >/dev/null; then $(BIN)/python -m tests.versions fetch; \
	else echo "npm is missing: PostgreSQL 14 to 18 are not fetched"; fi

lock: $(DEV) ## resolve the requirements anew, with hashes
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --all-extras --group build $(LOCKING) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --all-extras --group dev --constraints requirements.lock \
		$(LOCKING) --output-file requirements-dev.lock

LOCKING := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock"

clean: ## remove what was made here, but not the fetched servers in .cache
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.cache/*' -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
