# What one does with this project; `make help` lists it. Everything is installed into .venv first, once.
PYTHON ?= python3
BIN := .venv/bin
# `make test COVERAGE=1` also measures branches and fails below the limit in pyproject.toml.
COVERAGE ?=
# `make test EXAMPLES=20` lets the property tests draw twenty times as many examples, others at each start.
export EXAMPLES ?= 1
PYTEST := $(BIN)/python -m pytest -n auto --dist worksteal $(if $(COVERAGE),--cov)

.PHONY: run demo-reset test check fmt messages clean help
run: .venv/run ## serve the clock on http://127.0.0.1:5000 (what a bare `make` does)
	$(BIN)/python server.py

demo-reset: ## forget the demo (instance/demo); the next `make run` makes a fresh one
	rm -rf instance/demo

test: .venv/test ## run every test, a worker per core; with COVERAGE=1 their coverage as well
	$(PYTEST)

check: .venv/test ## what has to hold without running it: format, style, types, complexity
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lizard -l python -C 8 -w -W complexity-known.txt flask_app server.py

audit: .audit/done ## known holes in what it runs on (asks PyPI), and bandit
	.audit/bin/bandit -q -r -c pyproject.toml flask_app server.py deploy
	.audit/bin/pip-audit --no-deps --disable-pip -r requirements.txt

fmt: .venv/test ## format the code and mend what ruff can mend by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

messages: .venv/run ## bring the catalogs of translations up to date with the sentences in the sources
	$(BIN)/pybabel --quiet extract -F pyproject.toml -k lazy -k noted -k noted_number:1,2 -k ngettext:1,2 --add-location file --sort-by-file \
		--no-wrap -o flask_app/translations/messages.pot .
	$(BIN)/pybabel --quiet update -i flask_app/translations/messages.pot -d flask_app/translations --no-wrap \
		--no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	rm flask_app/translations/messages.pot

clean: ## take away what was installed and cached; the shop's data under instance/ stays
	rm -rf .venv .audit .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

.audit/done:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet --disable-pip-version-check bandit==1.9.4 pip-audit==2.10.1
	touch $@

.venv/run: requirements.txt
	@echo "Installing what the program runs on into .venv (once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test: tests/requirements.txt .venv/run
	@echo "Installing what the tests need into .venv (once)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@
