# `make demo` and `make test` do all the set-up that they need; everything else is for those who work on osdetect.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.PHONY: help demo test check test-long faults bench dashboards lock docs clean

help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(VENV)/run.ready ## Start OpenSearch, deploy rules, load a made-up attack, show the alerts
	$(BIN)/osdetect quickstart

test: $(VENV)/dev.ready check browser ## Types, style, import contracts, and every test on a real node
	$(PYTEST) -m "not long and not alone" -n 2 --dist loadfile
	$(PYTEST) -m "alone and not long"

check: $(VENV)/dev.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The catalog's pages are tested in Chromium. Without one, playwright fetches its own into the user's cache; where it cannot,
# those tests are skipped, or fail if OSDETECT_REQUIRE_BROWSER=1 (.ci/run).
.PHONY: browser
browser: $(VENV)/dev.ready
	@$(BIN)/python -m tests.catalog.browser || $(BIN)/playwright install --only-shell chromium || true

test-long: $(VENV)/dev.ready ## The tests that take many minutes
	$(PYTEST) -m long --timeout 3600

faults: $(VENV)/dev.ready ## 1,000 episodes of the fault harness (docs/faults.md)
	$(BIN)/python -m tests.harness --episodes 1000

bench: $(VENV)/dev.ready ## Measure everything (benchmarks/README.md)
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/compile.py
	$(BIN)/python benchmarks/detect.py
	$(BIN)/python benchmarks/loop.py --growth
	$(BIN)/python benchmarks/ways.py
	$(BIN)/python benchmarks/flood.py
	$(BIN)/python benchmarks/catalog.py
	$(BIN)/python benchmarks/deploy.py

docs: $(VENV)/dev.ready ## Write docs/commands.md again from the commands, docs/support.md from the cases
	$(BIN)/typer osdetect.cli.main utils docs --name osdetect --output docs/commands.md
	$(BIN)/python -m tests.cases.support

dashboards: $(VENV)/dev.ready ## Build mappings/dashboards/osdetect.ndjson again from its description
	$(BIN)/python -m osdetect.dashboards

lock: $(VENV)/dev.ready ## Resolve the dependencies again; commit what changes in requirements/
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --no-header \
		--extra embedded --group build pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --no-header \
		--constraint requirements/run.txt --extra embedded --extra fast --extra aws --extra keyring --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url --no-header \
		--group convert pyproject.toml -o requirements/convert.txt

clean: ## Delete the environment and all that was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "osdetect needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

# The reader of records is compiled on the way, where there is a rustc (hatch_build.py).
$(VENV)/%.ready: requirements/%.txt pyproject.toml hatch_build.py $(wildcard osdetect/expr/engine/native/*.rs) | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
