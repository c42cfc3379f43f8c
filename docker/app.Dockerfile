# The service: API and page, ingest, and the fetching of packs. No compiler, no CUDA, no weights inside.
#   docker build -f docker/app.Dockerfile .
# BASE_IMAGE: any Debian with Python 3.11 and venv. The PIP_ arguments say where pip looks; PyTorch's CPU build is found in an
# extra index, a find-links page or as a wheel put into docker/wheels/, else the package index's larger build is taken.
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS build
ARG PIP_INDEX_URL=
ARG PIP_EXTRA_INDEX_URL=
ARG PIP_FIND_LINKS=
WORKDIR /build
COPY scripts/install.sh scripts/
COPY locks/torch-cpu.lock locks/torch-index.lock locks/service.lock locks/
RUN --mount=type=bind,source=docker/wheels,target=/wheels \
    --mount=type=cache,target=/cache/pip \
    PIP_CACHE_DIR=/cache/pip PIP_FIND_LINKS="/wheels ${PIP_FIND_LINKS}" PYTHON=python3 scripts/install.sh /venv locks/service.lock
# The environment is read-only when it runs, so modules are compiled now: only those that a start imports.
RUN /venv/bin/python -c "import faiss, fastapi, gguf, opencc, openvino, pypdf, pypdfium2, sentence_transformers, tantivy, trafilatura, uvicorn; \
    import docx, httpx, prometheus_client, tqdm; \
    import transformers.models.bert.modeling_bert, transformers.models.xlm_roberta.tokenization_xlm_roberta"

FROM ${BASE_IMAGE}
RUN useradd --uid 10001 --user-group --home-dir /tmp --no-create-home --shell /usr/sbin/nologin qa \
    && install -d -o qa -g qa /data /models
COPY --from=build /venv /venv
WORKDIR /qa
COPY core core
COPY models models
COPY index index
COPY ingest ingest
COPY app app
COPY docker/prepare.py prepare.py
RUN /venv/bin/python -m compileall -q .
ENV PATH=/venv/bin:$PATH HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    QA_DATA_DIR=/data QA_MODELS_DIR=/models QA_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "app"]
