# Every target works in the project's own .venv, or in an activated conda environment.
.DEFAULT_GOAL := help
.PHONY: help install run app test test-slow lint format notebooks lab lock bench clean

ifneq ($(filter-out base,$(CONDA_DEFAULT_ENV)),)
BIN := $(CONDA_PREFIX)/bin
STAMP := $(CONDA_PREFIX)/.judul-installed
else
BIN := .venv/bin
STAMP := .venv/.judul-installed
endif
PYTHON ?= python3

DATA ?=
OUT ?=
REPORTS ?=
PARAMS ?=
PORT ?=
HOST ?=
TOKEN ?=
ARGS ?=

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

install: $(STAMP) ## Create the environment from the lock file

$(STAMP): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 atau yang lebih baru diperlukan; beri PYTHON=python3.12, misalnya." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -S scripts/ascii_path_file.py
	@touch $@

run: $(STAMP) ## Run the notebooks that are out of date (DATA=, OUT=, REPORTS=, PARAMS="-p NAME VALUE")
	@$(BIN)/judul run $(if $(DATA),--data "$(DATA)") $(if $(OUT),--out "$(OUT)") $(if $(REPORTS),--reports "$(REPORTS)") $(PARAMS)

app: $(STAMP) ## Serve the page that checks titles (PORT=, HOST=, TOKEN=)
	@$(if $(TOKEN),JUDUL_TOKEN="$(TOKEN)") $(BIN)/judul app $(if $(PORT),--port "$(PORT)") $(if $(HOST),--host "$(HOST)")

# With two workers, additional BLAS threads would only compete for cores.
test test-slow: export OPENBLAS_NUM_THREADS = 1
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
# In a copy, because notebooks write beside themselves.
NBVAL := $(BIN)/python -m pytest -p no:doctest -o addopts= --nbval
COPY := rm -rf build/nbval && mkdir -p build/nbval && cp -r notebooks data outputs build/nbval/

test: $(STAMP) ## Unit tests, and the first notebooks against their stored outputs; minutes
	$(PYTEST) -m "not slow"
	@$(COPY)
	$(NBVAL) build/nbval/notebooks/0[1-3]_*.ipynb

test-slow: $(STAMP) build/mlflow ## Longer tests: all notebooks, a full run, faults, cluster, servers, MLflow
	PYTHONPATH=. build/mlflow/bin/python -m pytest -q tests/governance/test_tracking.py
	JUDUL_FAULT_ROUNDS=$${JUDUL_FAULT_ROUNDS:-20} $(PYTEST) -rs tests/test_faults.py
	$(PYTEST) -rs -m slow --ignore tests/test_faults.py
	@$(COPY)
	$(NBVAL) build/nbval/notebooks/0[1-6]_*.ipynb build/nbval/notebooks/1[34]_*.ipynb
	$(NBVAL) -n 2 --dist loadfile build/nbval/notebooks/0[7-9]_*.ipynb build/nbval/notebooks/1[0-2]_*.ipynb

# MLflow needs other versions than the lock file has, hence a separate environment.
build/mlflow: pyproject.toml
	$(BIN)/python -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check ".[mlflow,train]" hypothesis pytest pytest-timeout
	@touch $@

lint: $(STAMP) ## Style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# In the order of `reports.pipeline.STAGES`: from 07 on they need the model that 14 trains.
notebooks: $(STAMP) ## Execute the committed notebooks and store their outputs
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False \
	  --ExecutePreprocessor.store_widget_state=False --log-level WARN \
	  notebooks/0[1-6]_*.ipynb notebooks/1[34]_*.ipynb notebooks/0[7-9]_*.ipynb notebooks/1[0-2]_*.ipynb

lab: $(STAMP) ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

LOCK := $(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-header --quiet

lock: $(STAMP) ## Update the pins of all dependencies
	$(LOCK) --extra dev --upgrade -o requirements.lock
	$(LOCK) --extra app --constraint requirements.lock --no-annotate -o requirements-app.lock

bench: $(STAMP) ## Measure against peers, up to a million titles (ARGS="--quick", "--only NAME", "--help")
	$(BIN)/python benchmarks/run.py $(ARGS)

clean: ## Remove the environment and all that can be rebuilt; logs, labels, versions, backups and data replaced by a restore stay
	rm -rf .venv build reports/*.html .pytest_cache .ruff_cache .mypy_cache
	find outputs -mindepth 1 -maxdepth 1 ! -name light ! -name structured ! -name logs ! -name 'labels*' ! -name models ! -name backups ! -name mlflow ! -name '*.*_*_*' -exec rm -rf {} +
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
