# Everything that is done with this tree, one word each. `make` alone lists the words.

# The Python that .venv is made from, when it is made: make PYTHON=python3.13 setup
PYTHON ?= python3
# What `make run` shows.
RUN_COMMAND = .venv/bin/understudy demo --log $(RUN_LOG)
# Where it leaves its log; replaced by every run.
RUN_LOG = understudy-demo.db
# How many tests run at once. A third on two processors saves a sixteenth of the time, and unsettles what is measured in real time.
TEST_WORKERS ?= 2
# `true` makes the tests over ../shared/data fail, not skip, where that folder is missing.
REQUIRE_SHARED_DATA ?= false
# How many of a hundred lines and branches of the core the tests must reach; why fewer on Python 3.11: see pyproject.toml.
FLOOR = $(shell .venv/bin/python -c 'import sys; print(100 if sys.version_info >= (3, 12) else 99)')
# More words for pytest: make test PYTEST_ARGS='-k circuit -x'
PYTEST_ARGS ?=

INSTALLED = .venv/.installed
LINKED = build/ns/.linked
CHECKED = adapters engine events projections replay tests tools $(wildcard benchmarks examples)
# Many tests start programs: those must find compiled what they import, whatever the environment says.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(if $(filter true,$(REQUIRE_SHARED_DATA)),CI=true,-u CI) .venv/bin/pytest --quiet

.PHONY: help setup run test check cover bench soak clean

help: ## List these words
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' Makefile | awk -F'|' '{printf "make %-8s %s\n", $$1, $$2}'

setup: $(LINKED) ## Make .venv with the pinned dependencies and link the source tree into it

run: $(LINKED) ## Show what Understudy does: a demo on real sockets, its log verified, one failover explained
	@$(RUN_COMMAND)

test: $(LINKED) ## Run the tests (at most five minutes; needs nothing but this tree)
	@$(PYTEST) -n $(TEST_WORKERS) --dist loadgroup $(PYTEST_ARGS)

check: $(LINKED) ## Lint, formatting and types, tests included
	@.venv/bin/ruff check $(CHECKED)
	@.venv/bin/ruff format --check $(CHECKED)
	@.venv/bin/mypy

cover: $(LINKED) ## Run the tests and show which lines and branches of the core they miss
	@$(PYTEST) -n $(TEST_WORKERS) --dist loadgroup --cov --cov-report=term-missing --cov-fail-under=$(FLOOR) $(PYTEST_ARGS)

bench: $(LINKED) ## Run every benchmark, one after another
	@for script in benchmarks/bench_*.py; do \
		echo "== $$script"; .venv/bin/python "$$script" || exit 1; \
	done

soak: $(LINKED) ## Run what takes longer than a test may
	@$(PYTEST) -n $(TEST_WORKERS) --dist loadgroup -m soak --soak $(PYTEST_ARGS)

clean: ## Remove everything that was made, .venv too
	rm -rf .venv build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache .coverage .coverage.* htmlcov
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt tools/list_requirements.py
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Understudy needs Python 3.11 or newer; this one is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.13 setup")'
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned dependencies into .venv ..."
	@.venv/bin/python tools/list_requirements.py > .venv/requirements.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r .venv/requirements.txt
	@touch $@

$(LINKED): $(INSTALLED) tools/link_namespace.py
	@.venv/bin/python tools/link_namespace.py
	@touch $@
