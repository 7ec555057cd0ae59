# Two images because there are two locks: `platform` (pipeline steps, predictor, controller) and
# `drift-sidecar`. BASE_IMAGE needs Python 3.11 with its venv module and CA certificates.
#
#   docker build --target platform -t driftloop/platform .
#   docker build --target drift-sidecar -t driftloop/drift-sidecar .
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS builder
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
RUN python3 -m venv /opt/uv && /opt/uv/bin/pip install --no-cache-dir uv
WORKDIR /app
COPY contracts contracts

FROM builder AS platform-builder
COPY pyproject.toml uv.lock ./
# Feast asks SQLAlchemy for its plug-in of mypy, which nothing here runs.
ARG WITHOUT="--no-install-package mypy \
 --no-install-package pathspec --no-install-package librt --no-install-package ast-serialize"
# Dependencies first: they change less often than the code.
RUN /opt/uv/bin/uv sync --locked --no-dev --no-editable $WITHOUT --no-install-project \
    && find .venv -type d -name tests -prune -exec rm -rf {} +
COPY README.md ./
COPY src src
# Compiled as it runs: with PYTHONOPTIMIZE=1, without which Feast takes 3.5 s to import, not 1.1 s.
RUN /opt/uv/bin/uv sync --locked --no-dev --no-editable $WITHOUT \
    && .venv/bin/python -m compileall -q -o 1 .venv/lib/python3.11/site-packages
COPY usecases usecases
COPY pipelines/compiled pipelines/compiled

FROM builder AS sidecar-builder
COPY sidecar/pyproject.toml sidecar/uv.lock sidecar/
COPY sidecar/absent sidecar/absent
WORKDIR /app/sidecar
RUN /opt/uv/bin/uv sync --locked --no-dev --no-install-project --no-editable \
    && find .venv -type d -name tests -prune -exec rm -rf {} +
COPY sidecar/README.md ./
COPY sidecar/src src
RUN /opt/uv/bin/uv sync --locked --no-dev --no-editable \
    && .venv/bin/python -m compileall -q .venv/lib/python3.11/site-packages

FROM ${BASE_IMAGE} AS runtime
RUN useradd --uid 10001 --create-home driftloop
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

FROM runtime AS platform
COPY --from=platform-builder /app /app
ENV PATH=/app/.venv/bin:$PATH PYTHONOPTIMIZE=1 DRIFTLOOP_USECASES=/app/usecases
# Of the code in it; a bundle's manifest names it.
ARG COMMIT=
ENV DRIFTLOOP_COMMIT=$COMMIT
USER 10001
CMD ["driftloop", "--help"]

FROM runtime AS drift-sidecar
# python:*-slim has no bytecode of the standard library, and nothing is written at run time.
RUN python3 -m compileall -q -x '/(test|idlelib|lib2to3|tkinter|ensurepip|site-packages)/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=sidecar-builder /app/sidecar/.venv /app/sidecar/.venv
ENV PATH=/app/sidecar/.venv/bin:$PATH DRIFTLOOP_HOST=127.0.0.1 DRIFTLOOP_PORT=8085
USER 10001
CMD ["python", "-m", "drift_sidecar"]

# For a cluster without an S3 of its own (manifests/overlays/laptop); `make image-minio` puts the
# server, built from its Go module, where this finds it. MinIO is AGPL-3.0, and not part of ours.
FROM runtime AS minio
COPY .tools/bin/minio /usr/local/bin/minio
USER 10001
CMD ["minio", "server", "/data", "--address", ":9000"]
