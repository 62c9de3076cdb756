# Everything below works on a fresh machine that has Python 3.11 or newer, pip and make. `make help` lists the targets.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STUDIES := faces selection capacity noisy-labels

# The first of these that is there and new enough; `make PYTHON=/path/to/python3` decides otherwise.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: help study test lint bench whole gpu torture agreement lock setup clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

study: setup ## train the reference study (or what is left of it) and write its report
	@$(BIN)/paribus run $(STUDIES); code=$$?; \
	if [ $$code -ne 0 ] && [ $$code -ne 3 ]; then exit $$code; fi; \
	echo "the report:"; $(BIN)/paribus report $(STUDIES) || exit $$?; exit $$code

test: lint ## check style, types, floors and behaviour
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/.peers ## compare speed with other tools on this machine (BENCH="--quick" for two minutes)
	$(BIN)/python -m benchmarks.run $(BENCH)

whole: setup ## time the four built-in studies whole, beside the reference's loops
	$(BIN)/python -m benchmarks.whole

gpu: setup ## measure an NVIDIA GPU: many runs at once, and the built-in studies with ten replicates
	$(BIN)/python -m benchmarks.gpu $(GPU)

torture: setup ## kill training at random instants and compare what is left, byte by byte
	$(BIN)/python -m benchmarks.torture

agreement: setup ## compare runs with plain PyTorch, and write docs/agreement.md
	$(BIN)/python -m benchmarks.agreement

setup: $(VENV)/.installed ## make .venv, once for every change of requirements.lock

# A half-made environment has no stamp and is made anew; pip's cache keeps what it has fetched.
$(VENV)/.locked: requirements.lock
	@test -n "$(PYTHON)" || { echo "paribus needs Python 3.11 or newer: install it, or name it with make PYTHON=..." >&2; exit 1; }
	rm -rf $(VENV)
	@echo "making $(VENV) from requirements.lock: some minutes, and 6 GB with what PyTorch brings"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# The tools that paribus is measured against; what both need has the versions of requirements.lock.
$(VENV)/.peers: requirements-bench.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-bench.lock
	@touch $@

# Hashes are the public index's: no configuration of this machine, no local index and no local build may get in.
LOCK := env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_FIND_LINKS UV_NO_CONFIG=1 \
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade --quiet \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock: ## resolve requirements.lock and requirements-bench.lock anew (needs uv)
	$(LOCK) --extra dev --output-file requirements.lock
	$(LOCK) --extra bench --constraint requirements.lock --output-file requirements-bench.lock

clean: ## remove what make and the tools made; the workspace stays
	rm -rf $(VENV) build dist .hypothesis .pytest_cache .ruff_cache .import_linter_cache
	rm -rf src/paribus.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
