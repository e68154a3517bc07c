# Every target works on a fresh clone with Python 3.11-3.13; `make demo` and `make test` install what they need.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python

# Two processes often share few cores: a thread that waits should sleep, not spin (10 times slower otherwise).
export OMP_WAIT_POLICY := PASSIVE

# One real and one fake video of people that no training saw: the first of each label on the test side.
HELD_OUT = $$(awk -F, '$$5 == "test" && !seen[$$2]++ { print "data/demo/" $$1 }' data/demo/corpus.csv)

.DEFAULT_GOAL := help
.PHONY: help install demo test lint format apk clean

help:
	@echo "make install   make the environment in $(VENV)"
	@echo "make demo      the whole line on a generated corpus: train, export, measure, judge"
	@echo "make apk       the Android app with the demo's model: android_demo/build/megatron.apk"
	@echo "make test      install what tests need and run them all"
	@echo "make lint      ruff, ruff format --check, mypy --strict"
	@echo "make format    let ruff fix and format"
	@echo "make clean     remove what the demo made (the environment stays)"

# A stamp for each set of extras, newer than the project file it was installed from.
$(VENV)/.installed-%: pyproject.toml
	@test -x $(PY) || $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "$(PYTHON) is not Python 3.11-3.13; type make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@echo "installing megatron-mobile[$*] into $(VENV) (some minutes the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

install:
	@if [ $(VENV)/.installed-all -nt pyproject.toml ]; then echo "reusing the environment in $(VENV)"; \
	else $(MAKE) --no-print-directory $(VENV)/.installed-all; fi

demo: install
	@$(PY) -m core demo data/demo
	@$(PY) -m distill --recipe demo
	@$(PY) -m export --run runs/demo --bundle
	@env -u OMP_WAIT_POLICY $(PY) -m benchmarks --artifact artifacts/demo --quick
	@$(PY) -m core detect --artifact artifacts/demo $(HELD_OUT)
	@$(PY) -m benchmarks summary --artifact artifacts/demo

test: $(VENV)/.installed-all,test
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# ABI="arm64-v8a x86_64" for phones and emulators; ARTIFACT=DIR bundles another folder of artefacts first.
apk: install
	@$(PY) -m android_demo.assembly apk $(if $(ABI),--abi $(ABI)) $(if $(ARTIFACT),--artifact $(ARTIFACT))

lint: $(VENV)/.installed-all,test,lint
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

format: $(VENV)/.installed-all,test,lint
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

clean:
	rm -rf data/demo stores/demo runs/demo artifacts/demo reports/demo android_demo/build android_demo/app/src/main/assets
