# Everything a person needs to try, check and change the project. `make` lists it.
PYTHON ?= python3
RUN    := .venv/bin/python
BENCH  := .venv-bench/bin/python
DOCS   := .venv-docs/bin/python
# What is newer than the last Airflow 3.2 it was not tried with; its metadata says nothing against it.
OF_3_2 := 2026-06-10
# Each process has a quarter of the suite, file by file, and takes over what others have left: what the tests of a file share is
# made once. Four on two cores, because half of their time the tests wait, for servers that start and stop.
IN_FOUR := -n 4 --dist worksteal
# Of these the words of today are needed; they bring nothing that Airflow uses.
GATEWAYS := --exclude-newer-package messagebird-sdk=2026-11-27 --exclude-newer-package telnyx=2026-11-27

.DEFAULT_GOAL := help
.PHONY: help demo demo-ui test test-fast test-matrix browser pictures e2e e2e-celery check docs wheel bench bench-progress lock clean

help:  ## List the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

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

demo-ui: .venv/ready  ## A local HubSpot, a stand-in gateway and Airflow, until Ctrl-C: write a reply in the inbox, watch it delivered
	@$(RUN) example_dags/run_demo_ui.py

test: .venv/ready  ## The test suite (without the browser: make browser)
	@$(RUN) -m pytest $(IN_FOUR) --ignore=tests/browser

test-fast: .venv/ready  ## The tests that are not marked as slow: about a minute
	@$(RUN) -m pytest $(IN_FOUR) -m "not slow" --ignore=tests/browser

test-matrix:  ## The suite on Airflow 3.2 and 3.3 with each Python of 3.10 to 3.13 that is here (AIRFLOWS=3.2 PYTHONS=3.11: one)
	@.ci/matrix $(IN_FOUR) --ignore=tests/browser $(MATRIX)

browser: .venv/ready  ## The local HubSpot's page in Chromium, which is installed if need be
	@.ci/chromium
	@$(RUN) -m pytest tests/browser

pictures: .venv/ready  ## Take docs/images of the local HubSpot's page, and of Airflow: its connection form and a task
	@.ci/chromium
	@$(RUN) -m tests.browser.pictures
	@HUBCHAN_E2E_PICTURES=yes $(RUN) -m tests.e2e mark_delivery_report

e2e: .venv/ready  ## A real Airflow: batches killed, cleared, stopped, out of quota; deliveries, a sensor, a callback; the round trip of replies; its form in Chromium
	@.ci/chromium
	@.ci/servers redis-server
	@$(RUN) -m tests.e2e

check: .venv/ready  ## Formatting, lint, types, and who may import whom
	@$(RUN) -m ruff format --check .
	@$(RUN) -m ruff check .
	@$(RUN) -m mypy
	@.venv/bin/lint-imports --no-logo --no-cache

.venv-docs/locked: .ci/docs.txt
	@echo "Setting up .venv-docs from its lock (once; half a minute) ..."
	@$(PYTHON) -m venv --clear .venv-docs
	@$(DOCS) -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/docs.txt > .venv-docs/pip.log 2>&1 || (cat .venv-docs/pip.log; exit 1)
	@touch $@

# Not --quiet: mkdocs does not count the warnings that it does not show.
docs: .venv-docs/locked  ## The documentation as a site, .site/index.html: without a network, warnings are errors
	@NO_MKDOCS_2_WARNING=1 $(DOCS) -m mkdocs build --strict --clean --config-file .ci/site/mkdocs.yml
	@echo "Open .site/index.html"

wheel: .venv/ready  ## Build the wheel, install it into a clean environment, ask Airflow what it sees
	@PYTHON=$(PYTHON) .ci/wheel

# Environments of their own, each from its lock: .venv-bench, .venv-celery. The lock is also given as constraints: before 23.3,
# pip does not see that "celery==5.6.3" holds for "celery[redis]", too.
.PRECIOUS: .venv-%/locked
.venv-%/locked: .ci/%.txt
	@echo "Setting up .venv-$* from its lock (once; a minute or two) ..."
	@$(PYTHON) -m venv --clear .venv-$*
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .ci/$*.txt -c .ci/$*.txt > .venv-$*/pip.log 2>&1 || (cat .venv-$*/pip.log; exit 1)
	@touch $@

.venv-%/ready: .venv-%/locked pyproject.toml
	@.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . > .venv-$*/pip.log 2>&1 || (cat .venv-$*/pip.log; exit 1)
	@touch $@

e2e-celery: .venv-celery/ready  ## A cluster: PostgreSQL, Redis, two Celery workers; one dies under eight shards (12 minutes at most)
	@.ci/servers postgresql redis-server
	@.venv-celery/bin/python -m tests.e2e.celery

bench: .venv-bench/ready  ## Quota, speed, memory, reading, Airflow's share: half an hour, as ratios against peers of the same run
	@$(BENCH) -m tests.bench

bench-progress: .venv/ready  ## What keeping progress costs: 10,000 updates with and without it in a real Airflow, four minutes
	@$(RUN) -m tests.e2e.cost

lock:  ## Pin what the project installs, with hashes (needs uv on the PATH)
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet -o .ci/runtime.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet --all-extras --group dev -o .ci/dev.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet --all-extras --group dev --group bench -o .ci/bench.txt
	uv pip compile --group pyproject.toml:docs --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet -o .ci/docs.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet --all-extras --group dev -c .ci/airflow-3.2.in --exclude-newer $(OF_3_2) $(GATEWAYS) -o .ci/airflow-3.2.txt
	uv pip compile pyproject.toml --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --quiet --all-extras --group dev --group celery -o .ci/celery.txt

clean:  ## Remove what the targets above made
	rm -rf .venv .venv-* .site .demo dist .mypy_cache .pytest_cache .ruff_cache
