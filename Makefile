# Common tasks. They use the virtual environment .venv, which is created when it is needed; to use
# an environment that you have: make test PYTHON=path/to/python (only `make setup` installs there).

ifdef PYTHON
install = $(PYTHON) -m pip install --quiet --editable '.[dev]'
else
PYTHON := .venv/bin/python
dev := .venv/.dev
bench := .venv/.bench
endif

.DEFAULT_GOAL := help
.PHONY: help setup test all fuzz faults lint format types docs notebooks bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(dev) ## Create .venv and install the package with the dev extra
	$(install)

test: $(dev) ## Run the tests that are not marked as slow
	$(PYTHON) -m pytest

all: $(dev) ## Run all tests
	$(PYTHON) -m pytest -m "slow or not slow"

fuzz: $(dev) ## Compare compiled and eager code on random programs (an hour; MINUTES=5 for less)
	$(PYTHON) tests/fuzz.py --minutes $(or $(MINUTES),60)

faults: $(dev) ## Plant 150 faults and list those that survive (half an hour; COUNT=20, ROOM=optim, SEED=1)
	$(PYTHON) tests/planted_faults.py --count $(or $(COUNT),150) --seed $(or $(SEED),0) $(addprefix --room ,$(ROOM))

lint: $(dev) ## Check style and formatting
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

format: $(dev) ## Fix formatting, and style where a safe fix is known
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

types: $(dev) ## Check types
	$(PYTHON) -m mypy --strict tinygrad_lr

docs: $(dev) ## Run the code in the README, docs/ and docstrings
	$(PYTHON) -m pytest tests/test_documentation.py tests/test_lesson_chapters.py tinygrad_lr

notebooks: $(dev) ## Run the chapters of the lesson and write them as notebooks beside the text
	$(PYTHON) -m jupytext --to ipynb --execute docs/lesson/[0-9]*.md

bench: $(bench) ## Measure speed against other libraries (half an hour, installs the bench extra)
	$(PYTHON) benchmarks/all.py

# .venv/.dev and .venv/.bench record which extra is installed; a new pyproject.toml installs again.
.venv/.%: pyproject.toml
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[$*]'
	@touch $@
