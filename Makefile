# `make demo` and `make test` do all the set-up they need. Everything else is for those who change the code.

PYTHON ?= python3
WORKERS ?= 2
DEMO ?= .demo
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/installed
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins

.PHONY: help demo test lint unit faults bench screenshots format lock setup clean

help:  ## show what there is to make
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

demo: setup  ## a stand-in institute and a complete Airflow, until Ctrl-C; ONCE=1 ends by itself
	$(BIN)/python -m tests.site.demo --folder $(DEMO) $(if $(ONCE),--once)

test: lint unit  ## everything that is checked

lint: setup  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: setup  ## the tests; one part of them: make unit T=tests/include
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup $(T)

faults: setup  ## what dies at whatever step of a machine's freeze, by all methods; half an hour
	$(BIN)/pytest -m "" tests/include/agent/test_faults.py tests/dags/test_vm_weekly_trouble.py

bench: setup  ## measure against what people would use instead; some parts of it: make bench B=day_copy
	$(BIN)/python -m bench $(B)

screenshots: setup  ## the pictures of the page in docs/, taken anew
	$(BIN)/python -m tests.site.screenshots docs

format: setup  ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup  ## pin anew what requirements*.in ask for
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --no-emit-find-links \
		--custom-compile-command "make lock" --quiet requirements.in -o requirements.txt
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --no-emit-find-links \
		--custom-compile-command "make lock" --quiet requirements-dev.in -o requirements-dev.txt

setup: $(INSTALLED)
	@tests/site/packages.sh

$(INSTALLED): requirements.txt requirements-dev.txt
	@tests/site/packages.sh
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt -r requirements-dev.txt
	@touch $@

clean:  ## remove what the targets above made
	rm -rf .venv .demo .test .guest_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
