# Two commands do everything on a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
OUT ?= torchnoise-report
# the lab for people, dev for contributors; constraints.txt pins torch
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test check sabotage bench clean

demo: $(VENV)/.lab
	$(BIN)/torchnoise compare --out $(OUT)

test: $(VENV)/.dev
	$(BIN)/python -m pytest

check: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks examples docs
	$(BIN)/ruff format --check src tests benchmarks examples docs
	$(BIN)/mypy

# Breaks every law on purpose, one after the other, and shows which test says so (minutes).
sabotage: $(VENV)/.dev
	$(BIN)/python tests/sabotage.py

# What noise costs beside torch, NumPy and JAX (minutes; close everything else).
bench: $(VENV)/.dev
	$(PIP) install -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/run.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.lab: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[lab]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.lab

clean:
	rm -rf $(VENV) $(OUT)
