# gyre. `make help` lists what there is; every target sets up what it needs and can be run twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
WORKERS ?= 2

.PHONY: help setup demo demo-loop test smoke e2e perf cluster-up cluster-down lint types contracts generate verify golden clean

help: ## This list.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## The Python environment in .venv, with exact versions.

$(VENV)/.ready: pyproject.toml hack/constraints.txt hack/setup
	@hack/setup "$(PYTHON)" "$(VENV)"

demo: setup ## From nothing to a trained, versioned model that is served, on a real local cluster; a canary, two rollbacks.
	@$(RUN) hack/demo

demo-loop: setup ## What comes after: months of traffic, drift, a retraining by itself, a canary, a budget that parks and refuses.
	@$(RUN) hack/demo loop

test: setup lint types contracts verify ## All checks and tests that need no cluster: unit, sweep, architecture, api (real kube-apiserver).
	@$(RUN) hack/cluster binaries --only etcd,kube-apiserver > /dev/null
	@$(BIN)/pytest tests/unit tests/architecture tests/sweep tests/api -n $(WORKERS) --dist loadgroup

smoke: setup ## The local cluster up, one training run with a killed worker, one rollout.
	@$(RUN) hack/cluster up
	@$(BIN)/pytest tests/e2e -m smoke -v

e2e: setup ## The long scenarios on the local cluster.
	@$(RUN) hack/cluster up
	@$(BIN)/pytest tests/e2e -v

perf: setup ## Benchmarks as ratios in one run; writes build/perf.json and a table.
	@$(RUN) hack/cluster binaries --only etcd,kube-apiserver > /dev/null
	@$(RUN) -m tests.perf

cluster-up: setup ## The local cluster: kind or native, whichever fits; of your own: hack/cluster up --context NAME.
	@$(RUN) hack/cluster up

cluster-down: setup ## Remove the local cluster; only the cache of what was built stays.
	@$(RUN) hack/cluster down

lint: setup ## ruff.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .

types: setup ## mypy --strict.
	@$(BIN)/mypy --no-error-summary -p gyre
	@$(BIN)/mypy --no-error-summary hack/cluster

contracts: setup ## Who may import whom.
	@$(BIN)/lint-imports --config pyproject.toml > build/import-contracts.txt 2>&1 || { cat build/import-contracts.txt; exit 1; }

generate: setup ## Write what is generated: crds/, the chart's templates, RBAC, reference pages.
	@hack/generate .

verify: setup ## Check that what is generated is what is checked in; writes nothing.
	@hack/verify

golden: setup ## Rewrite the golden files of the unit tests; read the diff before committing it.
	@$(BIN)/pytest tests/unit --golden -q

clean: ## Remove what was built inside the repository.
	@rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} + ; rm -rf *.egg-info operator/*.egg-info
