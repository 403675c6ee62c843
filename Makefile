# Loupe: `make demo` runs the main job, `make test` every check. Both set up what they need.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= logical
# A file's tests stay in one process, which makes its fixtures once.
PYTEST := $(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile
export LOUPE_DATA ?= ../shared/data

.PHONY: help setup demo serve check test lint types contracts unit unit-fast integration acceptance coverage prove-ledger prove-planner format lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with the locked dependencies (the other targets do it when needed)

$(READY): requirements/all.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Run the main job on real imagery and print what it bought, saved and saw
	$(BIN)/python -m examples.demo

serve: $(READY) ## Start the server; prints its address and, the first time, an API key
	$(BIN)/loupe serve

check: $(READY) ## Run the fast loop: lint, types, import contracts, unit tests without training
	@$(MAKE) --no-print-directory --output-sync=target -j2 lint types contracts unit-fast

test: $(READY) ## Run every check: lint, types, import contracts, unit, integration, acceptance
	@$(MAKE) --no-print-directory --output-sync=target -j2 lint types contracts
	$(PYTEST)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

unit: $(READY) ## Run the tests that need no database, network or GPU
	$(PYTEST) tests/unit

unit-fast: $(READY)
	$(PYTEST) tests/unit --ignore=tests/unit/training

integration: $(READY) ## Run the tests on a real PostgreSQL
	$(PYTEST) tests/integration

acceptance: $(READY) ## Run the tests through the real server process and a browser
	$(PYTEST) tests/acceptance

prove-ledger: $(READY) ## Prove the ledger on a fresh PostgreSQL; ARGS="--seed 7 --json FILE" (minutes)
	$(BIN)/python -m tests.proofs $(ARGS)

coverage: $(READY) ## Run every test with branch coverage, server and decoding processes included
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=json:reports/coverage.json

prove-planner: $(READY) ## Compare plans with all 65,536 choices of a tile, completely (minutes)
	$(BIN)/pytest tests/proofs/planner.py tests/unit/planner --hypothesis-profile=complete

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: ## Pin the newest dependencies that pyproject.toml admits, with their hashes
	$(LOCK) --upgrade --all-extras -o requirements/all.lock
	$(LOCK) -o requirements/service.lock -c requirements/all.lock

clean: ## Remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
