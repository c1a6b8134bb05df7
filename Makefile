# One-word tasks. Each sets up what it needs in a virtual environment of its own:
# nothing but Python >= 3.11, make and the package index is asked for.
#
#   make test PYTHON=python3.12 VENV=.venv-3.12 PYTEST_ARGS="-m quick -x" JOBS=1

PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=
JOBS ?= 2
BENCH ?= $(basename $(notdir $(wildcard bench/[a-z]*.py)))
BENCH_ARGS ?=

# a start takes a hundred times longer under Wine
LAB_ARGS = -p no:cacheprovider --timeout=300

BIN := $(VENV)/bin
CODE := src tests examples bench tools .ci
SETUP = @command -v $(PYTHON) >/dev/null || \
	{ echo "no $(PYTHON) here: name a Python >= 3.11, as in: make $@ PYTHON=python3.12" >&2; exit 1; }; \
	$(PYTHON) .ci/venv.py $(VENV)

.PHONY: help demo test test-windows check format docs bench bench-matrix clean

help: ## what there is to say
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## two HTTP servers and a client: up in order, asked, and gracefully down
	$(SETUP) run
	PATH="$(abspath $(BIN)):$$PATH" procession up -f examples/web/procession.yaml --log-dir build/demo

test: ## the whole suite; choose with PYTEST_ARGS="-m quick"
	$(SETUP) test
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

test-windows: ## what a Windows CPython says, under Wine: the unit suite, tests/windows, the face of Popen
	$(SETUP) test
	$(BIN)/python tools/windows/lab.py \
		-m pytest $(LAB_ARGS) tests/windows "--ignore-glob=*_executor*.py" $(PYTEST_ARGS) + \
		-m pytest $(LAB_ARGS) $(wildcard tests/windows/test_windows_executor*.py) \
			tests/os/test_executor_popen_face.py $(PYTEST_ARGS) + \
		-m pytest $(LAB_ARGS) tests/unit $(PYTEST_ARGS)

check: ## style, types on three platforms, and who imports whom
	$(SETUP) dev
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy --platform linux
	$(BIN)/mypy --platform darwin
	$(BIN)/mypy --platform win32
	$(BIN)/lint-imports --no-logo

format: ## put the code into the house's form
	$(SETUP) dev
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: ## write the pages that come from the code
	$(SETUP) run
	$(BIN)/python tools/reference.py
	$(BIN)/python tools/cli_reference.py
	$(BIN)/python tools/python_reference.py
	$(BIN)/python tools/state_diagram.py >docs/states.md
	$(BIN)/python tools/schema.py

bench: ## the tables of bench/ with modest settings; one of them: BENCH=start BENCH_ARGS="--rounds 25"
	$(SETUP) test
	@missed=; for script in $(BENCH:%=bench/%.py); do \
		echo; echo "== $$script $(BENCH_ARGS)"; \
		$(BIN)/python $$script $(BENCH_ARGS) || missed="$$missed $$script"; \
	done; \
	if [ -n "$$missed" ]; then echo "a bar was missed, or worse, in:$$missed" >&2; exit 1; fi

bench-matrix: ## everybody who is hard to end, in each way that an end may come, 20 times
	$(SETUP) test
	$(BIN)/python bench/matrix.py --rounds 20 $(BENCH_ARGS)

clean: ## away with the environment, caches and what the demo wrote
	rm -rf $(VENV) .venv-ci-* build dist src/*.egg-info .coverage examples/web/run \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
