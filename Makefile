# Everything a person needs to try, check and change the project. `make` lists it.
PYTHON ?= python3
RUN    := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help demo test check wheel bench lock clean

help:  ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv/locked: .ci/dev.txt
	@echo "Setting up .venv from the lock (once; a minute or two) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv --clear .venv
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/dev.txt
	@touch $@

.venv/ready: .venv/locked pyproject.toml
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/ready  ## A gateway's delivery report of 1,000 messages, marked in a local HubSpot by a real Airflow DAG
	@$(RUN) example_dags/run_demo.py

test: .venv/ready  ## The whole test suite
	@$(RUN) -m pytest

check: .venv/ready  ## Formatting, lint and types
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy

wheel: .venv/ready  ## Build the wheel, install it into a clean environment, ask Airflow what it sees
	@PYTHON=$(PYTHON) .ci/wheel

bench: .venv/ready  ## Speed and memory, as ratios against a peer of the same run
	@$(RUN) tests/bench.py

lock:  ## Pin what the project installs, with hashes (needs uv on the PATH)
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet -o .ci/runtime.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet --all-extras --group dev -o .ci/dev.txt

clean:  ## Remove what the targets above made
	rm -rf .venv .demo dist .mypy_cache .pytest_cache .ruff_cache
