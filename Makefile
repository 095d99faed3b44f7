# Two commands for a newcomer: `make demo` and `make test`. Each does all of its own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# One thread of BLAS for each of pytest's two processes: its threads wait for each other where cores are shared, and
# small matrices then take ten times as long.
# Nor is bytecode kept from being written where it usually is not: each process that a test starts would compile anew.
ONE_THREAD := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := -m pytest -q -m "not deep"
LOWEST := .venv-lowest

.PHONY: help figures docs-check demo test test-deep test-torch test-engines test-browser test-blas test-lowest lint types check dist matrix docs newcomer imports trip clients benchmarks benchmark-small leaderboard clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing stackelberg-envs into $(VENV) (first time only) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib > /dev/null || true # pip compiles on one core
	@touch $@

demo: $(STAMP)  ## learn incentives in Four-Rooms; table and picture in runs/demo
	@$(BIN)/stackelberg demo --output runs/demo

test: $(STAMP)  ## run the tests
	@$(ONE_THREAD) $(BIN)/python $(PYTEST) -n 2

test-deep: $(STAMP)  ## the long checks, learning curves of ten seeds among them
	@$(ONE_THREAD) $(BIN)/python -m pytest -n 2 -q -m deep

test-blas: $(STAMP)  ## the tests with one and with two threads of BLAS, and with the kernels of two other processors
	$(ONE_THREAD) $(BIN)/python $(PYTEST) -n 2
	OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 $(BIN)/python $(PYTEST)
	$(ONE_THREAD) OPENBLAS_CORETYPE=Haswell $(BIN)/python $(PYTEST) -n 2
	$(ONE_THREAD) OPENBLAS_CORETYPE=SkylakeX $(BIN)/python $(PYTEST) -n 2

$(LOWEST)/.installed: pyproject.toml tests/lowest_versions.py $(STAMP)
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	@$(BIN)/python tests/lowest_versions.py > $(LOWEST)/constraints.txt
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(LOWEST)/constraints.txt --editable '.[dev]'
	@touch $@

test-lowest: $(LOWEST)/.installed  ## the tests with the lowest versions that pyproject.toml declares
	$(ONE_THREAD) $(LOWEST)/bin/python $(PYTEST) -n 2

test-torch: $(STAMP)  ## the tests of networks; installs PyTorch and stable-baselines3
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[sb3]'
	@$(BIN)/python -m pytest -q tests/agents -k "sb3 or baselines3 or networks or test_deep or test_sac or soft_dqn or action_values"

test-engines: $(STAMP)  ## sweeps on clusters of Ray and Dask, which are started on this machine; installs both
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check ray distributed
	@$(ONE_THREAD) $(BIN)/python -m pytest -q tests/agents/benchmark/test_engines.py

test-browser: $(STAMP)  ## the page of a benchmark in headless Chromium; installs Playwright, and Chromium where there is none
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@command -v chromium > /dev/null || $(BIN)/playwright install --with-deps chromium || apt-get install --yes --quiet chromium
	@$(ONE_THREAD) $(BIN)/python -m pytest -q tests/browser/test_report_page.py

lint: $(STAMP)  ## ruff
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict
	@$(BIN)/mypy

check: lint types test  ## everything CI runs

dist: $(STAMP)  ## build sdist and wheel into dist, and check them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[release]'
	@rm -rf dist && $(BIN)/python -m build --outdir dist . > /dev/null && $(BIN)/twine check --strict dist/*

matrix: dist  ## the wheel with three Pythons, lowest and newest versions; writes docs/tables/versions.md
	@$(BIN)/python benchmarks/versions.py

docs: $(STAMP)  ## build the documentation as HTML into docs/_build
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@$(BIN)/python -m sphinx -W -q -b html docs docs/_build

docs-check: docs  ## open every page of it in headless Chromium, on a desktop's and a phone's screen; follow every link
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@command -v chromium > /dev/null || $(BIN)/playwright install --with-deps chromium || apt-get install --yes --quiet chromium
	@$(BIN)/python -m pytest -q tests/browser/test_site.py

figures: $(STAMP)  ## draw the films and figures of the generated pages, and write these pages
	@$(BIN)/python docs/draw.py
	@$(BIN)/python docs/generate.py

newcomer:  ## time a newcomer's path, from an empty folder to a leader that has learned and its picture
	@$(PYTHON) benchmarks/newcomer.py

imports:  ## print the graph of imports: files and lines per folder, arrows, the longest chain, circles
	@$(PYTHON) tests/house.py

client-%:  # train in one library, installed into an environment of its own: `make client-NAME` for a folder of `clients`
	@$(PYTHON) -m venv --clear runs/clients/$*
	@runs/clients/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --editable . -r clients/$*/requirements.txt
	@$(ONE_THREAD) runs/clients/$*/bin/python clients/$*/train.py

clients: $(patsubst clients/%/train.py,client-%,$(wildcard clients/*/train.py))  ## train in every library that `clients` has a folder for

trip: $(STAMP)  ## count the functions and files that one leader update enters
	@$(BIN)/python benchmarks/trip.py

benchmarks: $(STAMP)  ## print the speed tables of docs/reference/speed.md
	@for script in benchmarks/speed_*.py; do $(BIN)/python $$script || exit 1; done

benchmark-small: $(STAMP)  ## five leaders on three games with three seeds: records, table, figure and page in runs/benchmark-small
	@$(BIN)/stackelberg sweep stackelberg/DiscreteToy-v1 stackelberg/FourRooms-v0 stackelberg/BilevelLqr-v1 \
	    --leaders bchg,hpgd,naive,certainty_equivalent,cma_es --seeds 3 --steps 50000 --output runs/benchmark-small
	@$(BIN)/stackelberg compare runs/benchmark-small --plot runs/benchmark-small.png
	@$(BIN)/stackelberg report runs/benchmark-small --output runs/benchmark-small.html

leaderboard: $(STAMP)  ## check the entries in docs/leaderboard and write its page
	@$(BIN)/python -m agents.benchmark.leaderboard docs/leaderboard

clean:  ## remove the environment and everything generated
	rm -rf $(VENV) $(LOWEST) dist docs/_build runs .mypy_cache .ruff_cache .pytest_cache
