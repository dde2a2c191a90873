# Every target does the set-up it needs; a second run finds it done.
SHELL := /bin/bash
PYTHON := .venv/bin/python
NPM := PATH="$(CURDIR)/.venv/bin:$$PATH" npm --prefix frontend
PYTEST := $(PYTHON) -m pytest

N ?= 50
LAB ?= qemu

.PHONY: help demo smoke check test test-xen bounce chaos bench bench-xen mutate xapi-conformance clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## start the lab (LAB=qemu or xen) and the board, print the address and how to sign in; Ctrl-C ends it
	@.ci/setup demo
	@exec $(PYTHON) manage.py demo --kind $(LAB) --simulated "$$(cat build/setup/simulated-because 2>/dev/null)"

smoke: ## move one VM with everything real and print one line of JSON
	@.ci/setup demo >&2
	@$(PYTHON) manage.py smoke

check: ## style, types, floors, sizes, names, and the same for the front end
	@.ci/setup check
	@echo "== ruff" && .venv/bin/ruff check . && .venv/bin/ruff format --check --quiet .
	@echo "== mypy" && .venv/bin/mypy
	@echo "== floors" && .venv/bin/lint-imports
	@echo "== schema migrations" && $(PYTHON) manage.py makemigrations --check --dry-run
	@echo "== house rules" && $(PYTEST) -q tests/architecture
	@echo "== front end" && $(NPM) run --silent check && mkdir -p build && $(PYTHON) manage.py openapi > build/openapi.json && $(NPM) run --silent check:api

test: ## everything above, every test, on real hypervisors and in a real browser
	@.ci/setup test
	@$(MAKE) --no-print-directory check
	@echo "== front end tests" && $(NPM) run --silent test
	@echo "== Python tests" && $(PYTEST) -q --ignore=tests/browser --ignore=tests/architecture -m "not (fault and lab) and not alone and not xen"
	@echo "== smoke" && $(PYTHON) manage.py smoke
	@echo "== browser tests" && $(PYTEST) -q tests/browser
	@echo "== bounce" && $(PYTHON) -m tests.bounce $(N)

bounce: ## hop N VMs (N=50) all over the lab (LAB=qemu or xen) while things break; write build/bounce.json or bounce-xen.json
	@.ci/setup test
	@LAB=$(LAB) $(PYTHON) -m tests.bounce $(N)

chaos: ## break everything on the list of faults, simulated and on the lab; write build/chaos.json
	@.ci/setup test
	@$(PYTHON) -m tests.chaos $(SEED)

bench: ## measure, print a table, write build/bench.json
	@.ci/setup test
	@$(PYTHON) -m tests.bench

bench-xen: ## measure on the Xen lab, print a table, write build/bench-xen.json
	@.ci/setup test
	@$(PYTHON) -m tests.bench.xen

test-xen: ## the Xen lab, the driver and the whole product on two real, nested Xen hosts
	@.ci/setup test
	@echo "== Xen" && $(PYTEST) -q -m xen tests/xen

mutate: ## change the core in small ways, count what its tests notice; write build/mutation.json
	@.ci/setup test
	@nice $(PYTHON) -m tests.mutation

xapi-conformance: ## hold the simulated XAPI pools to the published data model that XENAPI_JSON names
	@.ci/setup test
	@$(PYTHON) -m tests.conformance

clean: ## remove what set-up and runs have made
	rm -rf .venv build frontend/node_modules data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
