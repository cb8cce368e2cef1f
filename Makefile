# Every target works on a fresh clone: what it needs it installs into .venv. `make help` lists them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CODE   := mesh producers consumers tests benchmarks $(wildcard lineage/*.py)
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

# A test run starts hundreds of processes: without bytecode each of them would compile the whole package anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo up test soak check fix bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.dev ## everything a contributor needs, in .venv

demo: $(VENV)/.demo ## the whole mesh on real data: Kafka, registry, gates, 367,687 records, two traces
	@$(BIN)/mesh demo

up: $(VENV)/.demo ## a mesh for real use in ./.mesh, until Ctrl-C
	@$(BIN)/mesh up

test: $(VENV)/.dev ## unit, integration, fault and program tests on a real Kafka
	@$(BIN)/python -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder -m "not soak and not containers" $(ARGS)

soak: $(VENV)/.dev ## the long rounds of the fault suite
	@$(BIN)/python -m pytest -q -m soak $(ARGS)

check: $(VENV)/.dev ## ruff, mypy strict, import arrows, contracts under the standard
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mesh contract check contracts

fix: $(VENV)/.dev ## what ruff can mend by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## make bench ONLY=name: one benchmark, its table and benchmarks/results/name.json
	@test -n "$(ONLY)" || { echo "which one? make bench ONLY=name, with a name of benchmarks/*.py" >&2; exit 2; }
	@$(BIN)/python -m benchmarks.$(ONLY) $(ARGS)

clean: ## remove .venv and every cache of the checkout; never data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build wheels

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "the mesh needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..." >&2
	@$(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing into $(VENV) ..." >&2
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.demo

-include deploy/containers.mk
