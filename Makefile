# Loupe: `make demo` runs the main job, `make test` every check. Both set up what they need.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= logical
# A file's tests stay in one process, which makes its fixtures once.
PYTEST := $(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile
N ?= 1000
SEED ?= build/seed
export LOUPE_DATA ?= ../shared/data

.PHONY: help setup demo serve seed docs check test lint types contracts unit unit-fast integration acceptance coverage prove-ledger prove-planner prove-faults prove-api examples prove-rasters format lock sbom audit clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

setup: $(READY) ## Make .venv with the locked dependencies (the other targets do it when needed)

$(READY): requirements/all.lock pyproject.toml
	@echo "Installing the locked dependencies in .venv: 7 GB, once. This takes some minutes and prints nothing."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/all.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY) ## Run the main job on real imagery and print what it bought, saved and saw
	$(BIN)/python -m examples.demo $(ARGS)

serve: $(READY) ## Start the server; prints its address and, the first time, an API key
	$(BIN)/loupe serve

seed: $(READY) ## Fill the server's state in SEED (build/seed) with N plans, some of them ordered
	$(BIN)/python -m examples.seed $(N) --home $(SEED)

docs: $(READY) ## Build the documentation as a site in build/site
	$(BIN)/python -m mkdocs build --quiet --strict
	@echo "Open build/site/index.html, or search it with: $(BIN)/python -m http.server -d build/site"

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

prove-faults: $(READY) ## Kill, hang, cut and fill in 200 seeds, and check that nothing is lost; ARGS="--seeds 20 --seed 7"
	$(BIN)/python -m tests.faults $(ARGS)

prove-api: $(READY) ## Try every operation against the OpenAPI document, as each role; ARGS="--role buyer --examples 200" (minutes)
	$(BIN)/python -m tests.contract $(ARGS)

examples: $(READY) ## Record real answers as the examples of the OpenAPI document (minutes)
	$(PYTEST) -p tests.contract.examples tests/integration

prove-rasters: $(READY) ## Mutate rasters and archives 100,000 times; ARGS="--first 5000 --count 1000" (an hour)
	$(BIN)/python -m tests.mutants $(ARGS)

coverage: $(READY) ## Run every test with branch coverage, server and decoding processes included
	$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=json:reports/coverage.json

prove-planner: $(READY) ## Compare plans with all 65,536 choices of a tile, completely (minutes)
	$(BIN)/pytest tests/proofs/planner.py tests/unit/planner --hypothesis-profile=complete

format: $(READY) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: ## Pin the newest dependencies that pyproject.toml admits, with their hashes
	$(LOCK) pyproject.toml --upgrade --all-extras -o requirements/all.lock
	$(LOCK) pyproject.toml --extra server -o requirements/service.lock -c requirements/all.lock
	$(LOCK) pyproject.toml -o requirements/client.lock -c requirements/all.lock
	$(LOCK) requirements/audit.in --upgrade -o requirements/audit.lock

# Tools of their own, so that the service never loads what they need.
AUDIT := build/audit
$(AUDIT)/.ready: requirements/audit.lock
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.lock
	@touch $@

sbom: $(READY) $(AUDIT)/.ready ## Write build/sbom.json: every installed library with its version and licence (CycloneDX)
	$(AUDIT)/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible -o build/sbom.json

audit: $(AUDIT)/.ready ## Look up every pinned library in the database of known vulnerabilities (needs the network)
	$(AUDIT)/bin/pip-audit --require-hashes --disable-pip --vulnerability-service osv -r requirements/all.lock

clean: ## Remove .venv and caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
