# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target works from any folder: make -C path/to/checkout demo
override ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
BIN := $(ROOT)/.venv/bin

# The first Python that ansible-core runs on; name another one with PYTHON=…
PYTHON ?= $(or $(firstword $(foreach name,python3 python3.13 python3.12 python3.11 python3.10,$(shell \
  $(name) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $(name)))),python3)

COLLECTION := $(ROOT)/build/ansible_collections/berth/projects
LINTERS := lint-python lint-types lint-shell lint-changelog lint-ansible lint-sanity
PYTEST := cd $(ROOT) && BERTH_CORE_217=$(ROOT)/.venvs/core-2.17/bin $(BIN)/python -m pytest -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo demo-clean test test-all molecule bench lint lint-copy format clean $(LINTERS)

help: ## show this list
	@echo "Berth: project containers for coding agents, declared in Ansible. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(ROOT)/Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' $(ROOT)/Makefile

setup: ## make .venv, which runs berth.projects.* from any folder
	@command -v $(firstword $(PYTHON)) >/dev/null || { \
	  echo "setup: no Python 3.10 or newer found. Install python3, or name one: make setup PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) $(ROOT)/tools/venv.py .venv requirements.txt

setup-dev: setup ## add what lint and test need to .venv
	@$(PYTHON) $(ROOT)/tools/venv.py .venv requirements-dev.txt

.PHONY: .venvs/core-2.17
.venvs/core-2.17:
	@$(PYTHON) $(ROOT)/tools/venv.py .venvs/core-2.17 requirements-core-2.17.txt

demo: setup ## bring up the project of examples/demo on this machine, with an engine and the base image
	@$(ROOT)/tools/demo up

demo-clean: setup ## remove what the demo made: its container, volumes, network and folder (asks; CONFIRM=yes does not)
	@CONFIRM="$(CONFIRM)" $(ROOT)/tools/demo clean

test: setup-dev .venvs/core-2.17 ## run the tests but the exhaustive ones, on a real engine
	@$(PYTEST) -m "not exhaustive"

test-all: setup-dev .venvs/core-2.17 ## run every test, and every Molecule scenario
	@$(PYTEST)
	@$(ROOT)/tools/molecule test

molecule: setup-dev ## run the Molecule scenarios on two hosts with two engine versions (SCENARIOS="provision change": only these)
	@$(ROOT)/tools/molecule test $(SCENARIOS)

.PHONY: .venvs/peers
.venvs/peers:
	@$(PYTHON) $(ROOT)/tools/venv.py .venvs/peers requirements-bench.txt

# The peers are half a gigabyte; a quick bench has those that are there.
bench: setup-dev $(if $(filter quick clean,$(BENCH)),,.venvs/peers) ## time the main jobs beside a ping play and the peers (BENCH=quick is short)
	@$(BIN)/python $(ROOT)/tests/bench/run.py $(BENCH)

lint: setup-dev ## check everything that can be checked without running it
	@$(MAKE) --no-print-directory --keep-going -f $(ROOT)/Makefile $(LINTERS)
	@echo "lint: clean"

lint-copy: setup-dev
	@$(BIN)/python $(ROOT)/tools/copy_collection.py $(COLLECTION)

lint-python: setup-dev
	@echo "== ruff: faults and format of the Python files"
	@cd $(ROOT) && $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check --diff .

format: setup-dev ## format the Python files and mend what ruff can mend by itself
	@cd $(ROOT) && $(BIN)/ruff check --quiet --fix-only . && $(BIN)/ruff format .

lint-types: lint-copy
	@echo "== mypy: types"
	@cd $(ROOT)/build && MYPYPATH=$(ROOT)/build $(BIN)/mypy --config-file $(ROOT)/pyproject.toml -p ansible_collections.berth.projects.plugins

lint-shell: lint-copy
	@echo "== shellcheck: shell scripts"
	@$(BIN)/shellcheck $$($(BIN)/python $(ROOT)/tools/shell_scripts.py $(COLLECTION))

lint-changelog: setup-dev
	@echo "== antsibull-changelog: changelog fragments"
	@cd $(ROOT) && $(BIN)/antsibull-changelog lint

lint-ansible: lint-copy
	@echo "== ansible-lint: playbooks and roles, profile production"
	@cd $(COLLECTION) && PATH="$(BIN):$$PATH" $(BIN)/ansible-lint --offline --strict --nocolor

lint-sanity: lint-copy
	@echo "== ansible-test sanity (the first run installs its own tools, a minute or so more)"
	@$(ROOT)/tools/sanity $(COLLECTION)

clean: ## remove the environments, caches and build output; containers, volumes and images stay
	rm -rf $(ROOT)/.venv $(ROOT)/.venvs $(ROOT)/.cache $(ROOT)/build $(ROOT)/tests/output $(ROOT)/.pytest_cache \
	  $(ROOT)/.ruff_cache $(ROOT)/.mypy_cache $(ROOT)/.hypothesis $(ROOT)/.ansible
	find $(ROOT) -name __pycache__ -type d -prune -exec rm -rf {} +
