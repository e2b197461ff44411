# Two commands matter: `make up` starts Joule, `make test` checks everything. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help setup up test check docs lock

BIN := .venv/bin
# Half of the tests wait for browsers, servers and processes, so there are more at work than there are cores.
WORKERS := $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 )))

help:
	@echo "make up      set everything up and start Joule with a sample workspace"
	@echo "make test    set everything up and run every check and test"
	@echo "make setup   only set up .venv from requirements.lock"
	@echo "make check   formatting, types and import contracts, without the tests"
	@echo "make docs    write the generated pages again"
	@echo "make lock    compile requirements.lock from pyproject.toml and sandbox/pack.lock from pack.in (needs uv)"

setup:
	@tools/setup.sh

up: setup
	@exec $(BIN)/joule up --pack

test:
	@tools/setup.sh --browser
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: setup
	$(BIN)/python -m tools.settings_doc
	$(BIN)/python -m tools.providers_doc
	$(BIN)/python -m tools.readme_help

lock:
	@command -v uv >/dev/null || { echo "make lock needs uv on the PATH" >&2; exit 1; }
	uv pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 \
	  --group dev --extra aws --extra bench --extra e2b --extra embeddings --extra openai --extra otel pyproject.toml -o requirements.lock
	cd sandbox && uv pip compile --quiet --no-header --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url pack.in -o pack.lock
