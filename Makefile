# `make` lists the commands. Needs make and Python 3.11 or 3.12; everything else goes into $(VENV).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV ?= .venv
# The first Python on this machine that the lock is made for; `make PYTHON=...` overrides.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.12 python3.11; do $$p -c '$(FITS)' 2>/dev/null && echo $$p && break; done)
endif
# What to install: gpu where nvidia-smi finds an NVIDIA GPU, else cpu; `make KIND=cpu` overrides.
ifndef KIND
KIND := $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
endif

# Every trial is a process that imports torch, trl and vllm; Python may keep what it compiled.
export PYTHONDONTWRITEBYTECODE :=

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(KIND)
# A person at a terminal sees pip's own progress; a log gets one line a step. Compiling all of 29,000
# files takes half of an installation; Python compiles the fifth that is used, once, as it is used.
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --no-compile $(shell test -t 2 || echo --quiet --quiet)
BENCH ?= $(wildcard tests/bench/*.py)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: help setup demo test unit check docs stack faults cluster smoke gpu bench pocket lock-check gpu-check clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(STAMP) ## make $(VENV) with all that zoo needs on this machine

$(STAMP): pyproject.toml requirements/torch-cpu.txt requirements/cpu.txt requirements/gpu.txt requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "zoo needs Python 3.11 or 3.12; install one, or name it: make PYTHON=/path/to/python3.12 setup" >&2; exit 2; }
	@test -x $(BIN)/python || { echo "setup: new environment in $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@rm -f $(VENV)/.installed-*
	@$(MAKE) install-$(KIND) VENV=$(VENV)
	@echo "setup: done; \`make demo\` next, or \`. $(BIN)/activate\` and \`zoo --help\`"
	@touch $@

.PHONY: install-cpu
install-cpu:
	@echo "setup: 1/3 torch for CPU"
	@$(INSTALL) --no-deps -r requirements/torch-cpu.txt 2>/dev/null \
	  || $(INSTALL) --no-deps --index-url $(TORCH_CPU_INDEX) -r requirements/torch-cpu.txt
	@echo "setup: 2/3 the other packages of the lock (some minutes)"
	@$(INSTALL) --no-deps -r requirements/cpu.txt -r requirements/dev.txt
	@echo "setup: 3/3 zoo itself"
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@$(MAKE) compile-light VENV=$(VENV)

# What a plan imports; elsewhere Python compiles what it uses, unless it is told to write nothing.
.PHONY: compile-light
compile-light:
	@$(BIN)/python -m compileall -q zoo $$($(BIN)/python -c "import annotated_types, click, pydantic, typing_inspection, yaml as y, os; print(*(os.path.dirname(m.__file__) for m in (annotated_types, click, pydantic, typing_inspection, y)))")

.PHONY: install-gpu
install-gpu:
	@echo "setup: NVIDIA GPU found, so vLLM and torch for CUDA (several GB)"
	@$(INSTALL) -c requirements/gpu.txt -e ".[gpu,dev]"
	@$(MAKE) compile-light VENV=$(VENV)

demo: setup ## the whole chain on the pocket models: train, evaluate, report
	@$(BIN)/zoo sweep experiments/pocket.yaml

test: setup ## every test that this machine can run (what CI runs), a file at a time on two cores
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

unit: setup ## only the fast tests
	@$(BIN)/python -m pytest tests/unit

check: setup ## format, lint, types, layers, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/unit

docs: setup ## the documentation as pages, in site/ (links are checked)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "docs: site/index.html"

stack: setup ## tests on real Ray, TRL, vLLM and MLflow
	@$(BIN)/python -m pytest tests/stack

faults: setup ## tests that kill, fill and break things, the long ones too (many minutes)
	@ZOO_KILLS=5 $(BIN)/python -m pytest tests/faults

cluster: setup ## sweeps on a Ray cluster of three nodes, all of this machine (minutes)
	@ZOO_CLUSTER=1 $(BIN)/python -m pytest -q -rP tests/cluster

smoke: setup ## two rounds of a 0.5B model on this CPU, all weights and LoRA (minutes, 12 GiB)
	@ZOO_SMOKE=1 $(BIN)/python -m pytest -q -rN tests/smoke

gpu: setup ## tests that need an NVIDIA GPU
	@$(BIN)/python -m pytest tests/gpu

bench: setup ## measurements; BENCH=FILE runs one
	@for script in $(BENCH); do echo "== $$script"; $(BIN)/python $$script; done

pocket: setup ## rebuild the pocket models from nothing (about 20 minutes a model)
	@for model in pocket-qwen2 pocket-llama pocket-mistral; do \
	  OMP_NUM_THREADS=1 $(BIN)/python -m zoo.pocket.pretrain $$model; done

lock-check: setup ## does requirements/cpu.txt satisfy what pyproject.toml asks for?
	@$(BIN)/python -m pytest -q tests/unit/test_packaging.py -k lock

gpu-check: setup ## does pip find versions for the gpu extra? (minutes, more than 1 GB)
	@ZOO_GPU_CHECK=1 $(BIN)/python -m pytest tests/stack/test_install.py -k gpu

clean: ## remove the environment and caches; runs/ and sweeps/ stay
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find zoo tests -name __pycache__ -type d -prune -exec rm -rf {} +
