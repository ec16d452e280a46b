# One command per task. Everything is installed into .venv; what `make test` adds beyond it is said there.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MODELLER := tests/modeller/node_modules/.package-lock.json

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

# The drawn workflows are opened in bpmn-js in a real browser. As root on Debian what that needs is installed when it is
# missing; elsewhere those tests are skipped, and say what to install.
$(MODELLER): tests/modeller/package-lock.json
	@if [ "$$(id -u)" = 0 ] && command -v apt-get > /dev/null; then \
		packages=""; \
		command -v npm > /dev/null || packages="$$packages nodejs npm"; \
		command -v chromium > /dev/null || packages="$$packages chromium"; \
		if [ -n "$$packages" ]; then \
			export DEBIAN_FRONTEND=noninteractive; \
			apt-get update -qq && apt-get install -qq --yes --no-install-recommends $$packages > /dev/null; \
		fi; \
	fi; \
	if command -v npm > /dev/null; then \
		cd tests/modeller && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; \
	else \
		echo "no npm: the tests that open workflows in a modeller are skipped"; \
	fi

# Whole systems are tested one after the other: such a test has several processes busy, kills some and counts what they use.
test: $(STAMP) $(MODELLER) ## every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal --ignore tests/e2e
	$(BIN)/python -m pytest tests/e2e

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
	rm -rf $(VENV) tests/modeller/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
