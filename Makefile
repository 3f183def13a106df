# `make demo` and `make test` do all the set-up they need. Everything else is for those who change the code.

PYTHON ?= python3
WORKERS ?= 3 # on two cores: tests spend a quarter of their time waiting
DEMO ?= .demo
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/installed
unexport PYTHONDONTWRITEBYTECODE # some containers set it: each process would compile what it imports anew
export PYTHONPATH := $(CURDIR):$(CURDIR)/plugins

.PHONY: help demo test test-all test-slow endurance unit lint durations bench screenshots format lock setup suite clean compose-test docker-images

help:  ## show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

demo:  ## a stand-in institute and a complete Airflow, until Ctrl-C; ONCE=1 ends by itself; CELERY=1 has workers
	@$(PYTHON) tests/session/announce.py demo
	@$(MAKE) --no-print-directory setup
	@$(if $(CELERY),tests/site/packages.sh slow)
	@$(BIN)/python -m tests.site.demo --folder $(DEMO) $(if $(ONCE),--once) $(if $(CELERY),--celery)

test:  ## style, types, and the tests that a change needs; ten minutes at most
	@$(PYTHON) tests/session/announce.py test
	@INPE_TEST_BEGAN=$$(date +%s) $(MAKE) --no-print-directory lint suite SUITE=test

test-all:  ## all but endurance: faults at critical steps, whatever can be killed, production, the demo; an hour
	@$(PYTHON) tests/session/announce.py test slow
	@status=0; \
	INPE_TEST_BEGAN=$$(date +%s) $(MAKE) --no-print-directory lint suite SUITE=test || status=$$?; \
	$(MAKE) --no-print-directory docker-images || status=$$?; \
	$(MAKE) --no-print-directory suite SUITE=slow || status=$$?; \
	exit $$status

compose-test: docker-images  ## the set-ups for production, by the documents' commands, on a Docker engine of its own
	@$(BIN)/python -m tests.session slow tests/dags/production

docker-images: setup  ## what that engine and other slow tests start with, from Debian's packages
	@tests/site/packages.sh slow
	@$(BIN)/python -m tests.site.docker_images

test-slow: docker-images  ## what test-all has and test hasn't
	@$(PYTHON) tests/session/announce.py slow
	@$(MAKE) --no-print-directory suite SUITE=slow

endurance:  ## property tests with many more examples, and every fault at every step
	@$(PYTHON) tests/session/announce.py endurance
	@$(MAKE) --no-print-directory suite SUITE=endurance

suite: setup
	@$(BIN)/python -m tests.session $(SUITE) -n $(WORKERS) $(T)

unit: setup  ## one part of the tests, slow ones too: make unit T=tests/include/agent
	@$(BIN)/python -m tests.session all -n $(WORKERS) $(T)

lint: setup  ## style, types, and the layers of include/
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy --no-error-summary
	@mkdir -p .test; $(BIN)/lint-imports --no-logo > .test/imports 2>&1 || { cat .test/imports; exit 1; }

durations: setup  ## where the time of the last test runs went, by file and phase
	@$(BIN)/python -m tests.session.durations

bench: setup  ## measure against what people would use instead; some parts of it: make bench B=day_copy
	@bench/packages.sh
	@$(BIN)/python -m bench $(B)

screenshots: setup  ## the pictures of the page in docs/, taken anew
	@$(BIN)/python -m tests.site.screenshots docs

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
	@$(BIN)/python -c "from tests.site import guests; guests.main()"

$(INSTALLED): requirements.txt requirements-dev.txt
	@tests/site/packages.sh
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@echo "Installing Airflow and what else is needed into .venv ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt -r requirements-dev.txt
	@touch $@

clean:  ## remove what the targets above made
	rm -rf .venv .demo .test .guest_cache .docker_cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
