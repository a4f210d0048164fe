# Every target sets up what it needs: a fresh clone and `make design` are enough. `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
TIME ?= 10m
TASK ?=
# Tests that run at a time.
JOBS ?= 2

# Data sets that lie beside the repository save the download.
ifndef AGENTNAS_DATA_DIR
ifneq ($(wildcard ../shared/datasets),)
export AGENTNAS_DATA_DIR := $(abspath ../shared/datasets)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help setup design browser test check docs notebook wheel prove bench

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## create the environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $(PYTHON) is older than Python 3.11; give another one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV); the first time takes some minutes" >&2
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -qq -c constraints.txt -e '.[dev]'
	@touch $@

design: $(STAMP)  ## design an architecture: make design TASK=citeseer TIME=5m
	$(VENV)/bin/agentnas design $(if $(TASK),--task $(TASK)) --time $(TIME)

browser:  ## Chromium for the tests of pages: found, or installed where that is allowed
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $$name >/dev/null && exit 0; done; \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			echo "installing Chromium for the tests of pages" >&2; \
			{ apt-get install -qq -y chromium || { apt-get update -qq && apt-get install -qq -y chromium; }; } >/dev/null 2>&1 && exit 0; \
		fi; \
		echo "make: no Chromium and none could be installed; tests of pages need it (apt-get install chromium)" >&2

test: $(STAMP) browser  ## all tests but the measurements of minutes
	$(RUN) -m pytest -n $(JOBS)

check: $(STAMP)  ## style and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

docs: $(STAMP)  ## write docs/spec.md and docs/cli.md anew
	$(RUN) -m agentnas.cli.reference docs

notebook: $(STAMP)  ## run docs/example.ipynb and write its outputs anew
	$(RUN) -m tests.notebooks docs/example.ipynb

wheel: $(STAMP)  ## build the wheel and try it in a clean environment, beside openai-agents
	rm -rf build
	$(RUN) -m build --wheel
	AGENTNAS_WHEEL=full $(RUN) -m pytest tests/packaging/test_wheel.py

prove: $(STAMP) browser  ## all tests, those that measure at full length; takes long
	AGENTNAS_PROVE=1 $(RUN) -m pytest --timeout 7200

bench: $(STAMP)  ## milliseconds: start of the command, training steps
	@for name in startup steps step_profile; do echo "== $$name"; OMP_NUM_THREADS=1 $(RUN) -m tests.benchmarks.$$name || exit 1; done
