# One command per task. Everything is installed into .venv; the rest of the machine is left alone.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help start stop demo test lint bench simulate docs clean

help:            ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

$(STAMP): setup.cfg pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	touch $@

start: $(STAMP)  ## start the system in ./data
	$(BIN)/python system.py start

stop: $(STAMP)   ## stop the system in ./data
	$(BIN)/python system.py stop

demo: $(STAMP)   ## a throw-away system, a dozen payments of every outcome in both flows
	$(BIN)/python system.py demo

test: $(STAMP)   ## every test
	$(BIN)/python -m pytest

lint: $(STAMP)   ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)  ## the figures of docs/performance.md, on this machine
	$(BIN)/python system.py bench

simulate: $(STAMP) ## simulated worlds with fresh seeds until stopped; prints each seed that fails
	$(BIN)/python system.py simulate --forever

docs: $(STAMP)   ## regenerate docs/reference/ from the code
	$(BIN)/python system.py docs

clean:           ## forget the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
