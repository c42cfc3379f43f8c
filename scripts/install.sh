#!/usr/bin/env bash
# Make the environment FOLDER and install PyTorch and a hash-pinned lock into it.
#   scripts/install.sh FOLDER LOCK
# A lock is complete, so pip resolves nothing (--no-deps). Modules are compiled when first used (--no-compile: half the time).
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 lock=$2
install=("$folder/bin/pip" install --quiet --no-deps --no-compile --require-hashes)

[ -x "$folder/bin/pip" ] || "${PYTHON:-python3.11}" -m venv "$folder"
if ! "${install[@]}" -r locks/torch-cpu.lock 2>/dev/null; then
  echo "No CPU build of PyTorch where pip looks (PIP_FIND_LINKS, PIP_EXTRA_INDEX_URL): taking the package index's larger one."
  "${install[@]}" -r locks/torch-index.lock
fi
"${install[@]}" -r "$lock"
touch "$folder/.installed"
