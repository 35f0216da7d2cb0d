# `make run` serves the clock, `make test` runs every test; both install what they need into .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check clean
run: .venv/run
	$(BIN)/python server.py

test: .venv/test
	$(BIN)/python -m pytest -n auto --dist worksteal

check: .venv/test
	$(BIN)/ruff check .
	$(BIN)/mypy

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/run: requirements.txt
	@echo "Installing what the program runs on into .venv (once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test: tests/requirements.txt .venv/run
	@echo "Installing what the tests need into .venv (once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@
