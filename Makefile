# `make` alone prints the verbs below.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# A caller may forbid bytecode; here it is what makes imports bearable.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.tools/bin:$(PATH)

PYTHON := .venv/bin/python
MINIO_VERSION := v0.0.0-20260212201848-7aac2a2c5b7c
IMAGE ?= driftloop/platform:latest
PLATFORM ?= driftloop/platform:latest
COMMIT = $(shell git rev-parse HEAD 2>/dev/null)$(shell git diff --quiet HEAD 2>/dev/null || echo +)
BUILD_ARGS = $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE))

.PHONY: help install run test test-loop test-stories test-s3 test-containers test-spark test-cluster test-node lint pipelines crds image image-minio sbom benchmark clean

help: ## print the verbs
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

install: .venv/installed sidecar/.venv/installed ## set up both environments from their locks

run: install ## turn the loop on the built-in simulator
	.venv/bin/driftloop run ads_ctr

# Real processes, some of them timed: beside each other they would be slower than they are.
ALONE := tests/browser tests/online tests/services

test: install ## run the tests that need nothing but this machine and some minutes
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile $(addprefix --ignore=,$(ALONE) tests/loop)
	$(PYTHON) -m pytest $(ALONE)
	cd sidecar && .venv/bin/python -m pytest

test-loop: install ## turn whole loops by the command, in every mode, one after another
	$(PYTHON) -m pytest tests/loop

test-stories: install ## act the use cases' stories out: each turn is found, and overlooking one costs
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile -m story tests/unit/story

test-s3: export DRIFTLOOP_MINIO := $(CURDIR)/.tools/bin/minio
test-s3: install .tools/bin/minio ## check object store and sidecar on a real MinIO server (needs Go)
	$(PYTHON) -m pytest -m s3 tests/object_store
	cd sidecar && .venv/bin/python -m pytest tests/test_store_outage.py

test-spark: .venv-spark/installed ## compare the joins of Spark, on this machine, with DuckDB's (needs Java 17)
	.venv-spark/bin/python -m pytest -m '' tests/spark src/driftloop/adapters/feast_spark

test-containers: install .tools/bin/minio sbom ## run the compiled pipeline in containers (needs Docker, Go)
	tests/containers/with_images.sh $(PYTHON) -m pytest -m docker tests/containers

test-cluster: install ## check resources and controller on a real API server (needs Go; 10 min once)
ifeq ($(STANDINS),no)
	KUBECONFIG=$(KUBECONFIG) STANDINS=no $(PYTHON) -m pytest -m node tests/cluster/test_node.py
else
	tests/cluster/cluster.sh build
	$(PYTHON) -m pytest -m 'cluster and not node' tests/cluster
endif

test-node: install .tools/bin/minio ## turn the loop in pods on a real node (needs root, Go, Docker)
	tests/cluster/cluster.sh build
	DRIFTLOOP_MINIO=$(CURDIR)/.tools/bin/minio tests/containers/with_images.sh \
		$(PYTHON) -m pytest -m node tests/cluster

lint: install ## ruff, mypy and the import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	cd sidecar && ../.venv/bin/ruff check . && .venv/bin/mypy

pipelines: install ## compile pipelines/*.py to pipelines/compiled/ (IMAGE= sets the steps' image)
	DRIFTLOOP_IMAGE=$(IMAGE) $(PYTHON) -m pipelines

crds: install ## write manifests/crds/ from the models
	$(PYTHON) -m driftloop.resources manifests/crds

image: ## build driftloop/platform and driftloop/drift-sidecar (BASE_IMAGE=), or a use case's (USECASE= IMAGE=)
ifdef USECASE
	test -f usecases/$(USECASE)/loop.yaml
	docker build -f usecases/Dockerfile --build-arg PLATFORM=$(PLATFORM) \
		--build-arg USECASE=$(USECASE) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) usecases
else
	docker build --network=host $(BUILD_ARGS) --build-arg COMMIT=$(COMMIT) --target platform -t $(IMAGE) .
	docker build --network=host $(BUILD_ARGS) --target drift-sidecar -t driftloop/drift-sidecar:latest .
endif

image-minio: .tools/bin/minio ## build driftloop/minio, for a cluster without an S3 (needs Go)
	docker build --network=host $(BUILD_ARGS) --target minio -t driftloop/minio:latest .

sbom: | .tools/uv ## write sbom/*.cdx.json: what is in both images, as CycloneDX, from the locks
	mkdir -p sbom
	uv export --locked --no-dev --no-editable --prune mypy --format cyclonedx1.5 -q -o sbom/platform.cdx.json
	cd sidecar && uv export --locked --no-dev --no-editable --format cyclonedx1.5 -q -o ../sbom/drift-sidecar.cdx.json

benchmark: install ## print the headline figures on the simulator
	$(PYTHON) benchmarks/loop.py simulator

clean: ## remove what the verbs above made
	rm -rf .venv .venv-spark sidecar/.venv .tools runs sbom .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

# Optimised bytecode too: Feast spends most of its import on checks that -O drops.
.venv/installed: uv.lock pyproject.toml contracts/pyproject.toml | .tools/uv
	uv sync --locked --compile-bytecode --python 3.11
	$(PYTHON) -m compileall -q -o 1 -j 0 .venv/lib/python3.11/site-packages src contracts/src
	touch $@

.venv-spark/installed: uv.lock pyproject.toml contracts/pyproject.toml | .tools/uv
	UV_PROJECT_ENVIRONMENT=.venv-spark uv sync --locked --python 3.11 --group spark
	touch $@

sidecar/.venv/installed: sidecar/uv.lock sidecar/pyproject.toml contracts/pyproject.toml | .tools/uv
	cd sidecar && uv sync --locked --compile-bytecode --python 3.11
	touch $@

.tools/uv:
	mkdir -p .tools
	command -v uv >/dev/null || { python3 -m venv .tools/uv-env && .tools/uv-env/bin/pip install -q uv \
		&& mkdir -p .tools/bin && ln -sf ../uv-env/bin/uv .tools/bin/uv; }
	touch $@

.tools/bin/minio:
	GOBIN=$(CURDIR)/.tools/bin go install github.com/minio/minio@$(MINIO_VERSION)
