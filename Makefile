# One door to everything. `make` alone says what there is.
.DEFAULT_GOAL := help
.PHONY: help setup dev demo test test-unit test-seeds test-e2e check format lint types cover docs sim soak explore mutants bench lock binary clean

SEEDS ?= 2000
MINUTES ?= 10
SEED ?= 1
STATES ?= 100000
ARGS ?=
PY := .venv/bin/python
PYTEST := $(PY) -m pytest -q
export PYTHON

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make .venv with all that fa needs to run
	@packaging/setup.sh run

dev:
	@packaging/setup.sh dev
	@packaging/test-deps.sh

demo: setup ## show what fa does: three nodes on this machine, real clips, the coordinator killed in the middle
	@.venv/bin/fa demo $(ARGS)

test: test-unit test-seeds test-e2e ## all tests, as CI runs them

test-seeds: dev ## 2,000 random histories of a simulated array, of more than 5,000 events each in the mean
	$(PY) -m tests.sim --seeds 0:2000 --length 3 --jobs $$(nproc)

test-unit: dev ## the tests that start no node: fast
	$(PYTEST) -m "not slow" -n 2 --dist loadfile --ignore tests/e2e tests $(ARGS)

test-e2e: dev ## real nodes, networks, disks and terminals; mostly waiting, so two at a time
	$(PYTEST) -n 2 --dist worksteal --durations 15 tests/e2e $(ARGS)

check: dev lint types test ## what must hold before a commit: format, lint, types, tests, simulator
	$(MAKE) sim SEEDS=200

format: dev ## put the code into its one form
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types: dev
	.venv/bin/mypy

cover: dev ## lines and branches of the core that its own tests reach
	$(PYTEST) --cov fa.core --cov-branch --cov-report term-missing tests/core

docs: setup ## bring the tables of docs/ up to date with the code (commands, routes, settings)
	$(PY) -m tests.reference

sim: dev ## SEEDS random histories of a simulated array; a failing one prints how to replay it
	$(PY) -m tests.sim --seeds 0:$(SEEDS) --jobs $$(nproc) $(ARGS)
	$(PY) -m tests.sim.work --seeds 0:$$(($(SEEDS) / 10))

soak: dev ## real nodes under load for MINUTES, killed, frozen and replaced as SEED has it; then all is checked
	$(PY) -m tests.soak --minutes $(MINUTES) --seed $(SEED) $(ARGS)

explore: dev ## every history of a small array, STATES states far; then with rules left out
	$(PY) -m tests.sim.explore --states $(STATES) --jobs $$(nproc) $(ARGS)
	$(PY) -m tests.sim.explore --mutants --states $(STATES) --jobs $$(nproc)

mutants: dev ## leave out each safety rule in turn: the simulator must catch every one
	$(PY) -m tests.sim.mutants --jobs $$(nproc) $(ARGS)
	$(PY) -m tests.sim.work.mutants

bench: dev ## measure this machine: all of bench/, or one of it by B=store
	@for name in $(or $(B),$(filter-out __init__ rivals rounds celery_app,$(patsubst bench/%.py,%,$(wildcard bench/*.py)))); do \
		echo "== $$name" && $(PY) -m bench.$$name $(ARGS) || exit 1; \
	done

lock: ## write requirements*.txt anew (ARGS=--upgrade to raise versions)
	python3 packaging/lock.py $(ARGS)

binary: ## the air-gapped bundle, into dist/
	packaging/build.sh

clean: ## remove what was built or installed here (not the state of any node)
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
