#!/usr/bin/env bash
# From nothing to a cited answer. Installs what is missing, brings the index in line with docs/, then serves the API and page
# and the model beside it until Ctrl-C. The service answers with quotes while the model is still being fetched or loaded.
#   QA_DOCS=FOLDER scripts/run.sh      another folder of documents
set -euo pipefail
cd "$(dirname "$0")/.."

docs=${QA_DOCS:-docs/}
unset QA_DOCS PYTHONDONTWRITEBYTECODE # without compiled modules on disk every start compiles everything again
host=${QA_HOST:-127.0.0.1}
port=${QA_PORT:-8000}
logs=${QA_DATA_DIR:-data}/logs
mkdir -p "$logs"
started=$SECONDS

say() { printf '\n[%3d s] %s\n' $((SECONDS - started)) "$*"; }

children=()
stop() {
  trap - EXIT INT TERM
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  wait
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "Installing the service … 安裝服務"
make --no-print-directory install
make --no-print-directory install-vllm >"$logs/install-vllm.log" 2>&1 &
vllm_install=$!
children+=("$vllm_install")
python=.venv/bin/python

# The model needs the longest: everything of it happens in the background, beside the index.
serve_model() {
  $python -m models pull >"$logs/pull.log" 2>&1 || { echo "The model could not be fetched:"; tail -n 3 "$logs/pull.log"; return 1; }
  while kill -0 "$vllm_install" 2>/dev/null; do sleep 0.5; done
  [ -e .venv-vllm/.installed ] || { echo "vLLM could not be installed:"; tail -n 5 "$logs/install-vllm.log"; return 1; }
  exec $python -m models serve
}

say "Fetching the embedder … 取得嵌入模型"
$python -m models pull "${QA_EMBEDDER:-multilingual-e5-small}"
( serve_model || echo "Answers are quotes only until this is mended. 在修好之前只以引文回答。" ) &
children+=("$!")

$python -m app &
app=$!
children+=("$app")

say "Reading $docs … 讀取文件"
status=0
$python -m ingest "$docs" || status=$?
if [ "$status" -eq 2 ]; then exit 2; fi

say "Page and API: http://$host:$port — answers are quotes until the model is up (a minute or so). 網頁與 API 已就緒;模型載入前先以引文回答。"
wait "$app"
