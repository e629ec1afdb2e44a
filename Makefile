# Needs a POSIX shell, make and Python 3.11 or newer; everything else is brought along.
# `make help` lists what there is.

# The interpreter itself: a wrapper of a version manager would look like another Python to uv.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do "$$p" -c \
	'import sys; sys.version_info < (3, 11) and sys.exit(1); print(getattr(sys, "_base_executable", sys.executable))' \
	2>/dev/null && exit; done)
UV ?= .uv/bin/uv
ARGS ?=
FAULT_MATTERS ?= 20000
FAULT_ROUNDS ?= 3

# The Python that is there is used: uv would otherwise download one from a place that a fresh machine may not reach.
export UV_PYTHON_DOWNLOADS = never
export UV_PYTHON = $(PYTHON)
RUN = $(UV) run --no-sync
# The first time, uv shows what it downloads.
SYNC = $(UV) sync --locked $$([ ! -d "$${UV_PROJECT_ENVIRONMENT:-.venv}" ] || echo --quiet)
SHOUWEN = $${UV_PROJECT_ENVIRONMENT:-.venv}/bin/shouwen

.DEFAULT_GOAL := help
.PHONY: help up demo status down suite install test check format faults bench docs

##@ Use
up: suite ## Start everything on this machine and say where it is (ARGS="--port-base 18100 --no-traces …")
	@exec $(SHOUWEN) up $(ARGS)

demo: suite ## Play a day of three branches on the suite that runs
	@$(SHOUWEN) demo $(ARGS)

status: suite ## Show what runs and where
	@$(SHOUWEN) status $(ARGS)

down: suite ## Stop the suite that another terminal started
	@$(SHOUWEN) down $(ARGS)

suite: $(filter .uv/bin/uv,$(UV)) ## Bring uv and install what the suite needs to run, without the tools of its developers
	@$(SYNC) --inexact --no-default-groups --package shouwen-embedded --extra services

##@ Change
install: $(filter .uv/bin/uv,$(UV)) ## Bring uv and install everything, tools included, into .venv
	@$(SYNC) --all-packages

test: check ## All checks, then all tests on real Kafka and PostgreSQL (ARGS="-k words" picks tests)
	@$(RUN) pytest $(ARGS)

check: install ## Lint, format, types and layers, without running anything
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) basedpyright
	@$(RUN) lint-imports

format: install ## Put the code into its one format
	@$(RUN) ruff check --fix --quiet .
	@$(RUN) ruff format .

docs: install ## Generate schemas, AsyncAPI, topics and the tables of the pages anew
	@$(RUN) python -m docs.generator $(ARGS)

##@ Measure
faults: install ## Kill services, database and broker under a larger load (FAULT_MATTERS, FAULT_ROUNDS)
	@FAULT_MATTERS=$(FAULT_MATTERS) FAULT_ROUNDS=$(FAULT_ROUNDS) $(RUN) pytest tests/faults -s $(ARGS)

bench: install ## Measure start, memory, throughput and latency beside the raw limits
	@$(RUN) python -m bench $(ARGS)

##@ Help
help: ## This list
	@awk 'BEGIN {FS = ":.*## "} /^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

.uv/bin/uv: deploy/embedded/bring-uv.sh
	@sh deploy/embedded/bring-uv.sh "$(PYTHON)" .uv
