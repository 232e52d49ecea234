# One virtual environment in .venv, filled in two steps: the demo needs no torch and no simulator.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c requirements/constraints.txt

# The demo and the tests bring their own rclpy: a sourced ROS installation must not shadow it.
unexport PYTHONPATH AMENT_PREFIX_PATH LD_LIBRARY_PATH RMW_IMPLEMENTATION

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-wheel lint bench soak results-quick clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

setup: $(VENV)/.all ## Make .venv with everything (a few minutes, about 2 GB)

demo: $(VENV)/.demo ## Run a recorded clip through the live ROS 2 node; writes output/demo/
	$(BIN)/mtshare demo --output output/demo

# Two workers with one thread each: more would fight for the cores.
test: $(VENV)/.all lint ## Check style and types, then run the tests
	@$(BIN)/mtshare doctor --for train
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.all ## Run the tests that take minutes
	$(PIP) -e ".[cluster]"
	$(BIN)/python -m pytest -m slow

# Outside of the checkout, so that nothing is found that the wheel lacks.
WHEEL_TEST := $(or $(TMPDIR),/tmp)/mtshare-wheel-test

test-wheel: ## Build a wheel, install it elsewhere and use it there
	rm -rf $(WHEEL_TEST) build
	$(PYTHON) -m venv $(WHEEL_TEST)/venv
	$(PYTHON) -m pip --disable-pip-version-check -q wheel --no-deps -w $(WHEEL_TEST) .
	$(WHEEL_TEST)/venv/bin/python -m pip --disable-pip-version-check -q install \
		-c requirements/constraints.txt "$$(echo $(WHEEL_TEST)/*.whl)[online,ros,report]"
	cd $(WHEEL_TEST) && venv/bin/mtshare inspect venv/share/mtshare_ros/models/room
	cd $(WHEEL_TEST) && venv/bin/mtshare evaluate venv/share/mtshare_ros/models/room \
		--bag $(CURDIR)/demo/room.mcap --output report
	test -s $(WHEEL_TEST)/report/index.html
	rm -rf $(WHEEL_TEST)

lint: $(VENV)/.all ## Check style and types only
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.all ## Time every part on this machine; writes output/bench.json
	$(BIN)/mtshare bench models/room --output output/bench.json

MINUTES ?= 30

soak: $(VENV)/.demo ## The live node at 30 Hz for MINUTES=30: memory, counts, latency; writes output/soak.json
	$(BIN)/mtshare soak --minutes $(MINUTES) --output output/soak.json

RENDER := $(BIN)/mtshare render --size 128x96

results-quick: $(VENV)/.all ## A reduced table of docs/results.md: renders, trains, scores; 20 minutes on 2 cores
	$(RENDER) --output data/quick/train --first-seed 0 --rooms 200 --views 6
	$(RENDER) --output data/quick/validation --first-seed 100000 --rooms 20 --views 3
	$(RENDER) --output data/quick/test --first-seed 200000 --rooms 40 --views 3
	$(BIN)/mtshare train config/training/study_quick.yaml --output runs/quick --resume
	$(BIN)/mtshare study timing config/results/study_quick.yaml --output output/quick
	$(BIN)/mtshare study table config/results/study_quick.yaml --output output/quick

clean: ## Remove .venv, caches and output/
	rm -rf $(VENV) output build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.python:
	@$(PYTHON) requirements/check_machine.py
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python setup.py setup.cfg requirements/constraints.txt
	$(PIP) -e '.[online,ros,report]'
	@touch $@

$(VENV)/.all: $(VENV)/.demo
	$(PIP) -e '.[online,ros,report,offline,test]'
	@touch $@
