#!/usr/bin/env bash
# Build the images and run the whole stack for real, until a question has been answered with quotes and by the model; then tear it down.
#   docker/try.sh                        needs a docker daemon, docker compose (1.29 or newer) and curl
#   BASE_IMAGE=NAME docker/try.sh        another base image
#   WHEELS=FOLDER docker/try.sh          wheels to install from (PyTorch's CPU build), only during the build
#   PACKS_FOLDER=FOLDER docker/try.sh    the packs' wheels, instead of the network
#   KEEP=1 docker/try.sh                 leave it running
# Prints image sizes, the seconds to the first answers, memory, and what was checked. Exit code 0: everything held.
set -euo pipefail
cd "$(dirname "$0")/.."

export DOCKER_BUILDKIT=1 COMPOSE_DOCKER_CLI_BUILD=1
export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-domain-qa-try}
export QA_PORT=${QA_PORT:-8090}
patience=${PATIENCE:-1800} # seconds until the model must have answered
api=http://127.0.0.1:$QA_PORT
question=${QUESTION:-'系統支援哪些檔案格式?'}
english=${ENGLISH:-'Which file formats can be ingested?'}
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
failed=0
copied=()

say() { printf '\n== %s\n' "$*"; }
check() { # check WHAT COMMAND…: one line, and the exit code remembers
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then echo "ok      $what"; else echo "BROKEN  $what"; failed=1; fi
}
not() { ! "$@"; }

finish() {
  local code=$?
  trap - EXIT
  for file in ${copied[@]+"${copied[@]}"}; do rm -f "$file"; done
  if [ "$code" -ne 0 ]; then "${compose[@]}" ps || true; "${compose[@]}" logs --no-color --tail=200 || true; fi
  if [ -z "${KEEP:-}" ]; then "${compose[@]}" down --volumes --timeout 20 >/dev/null 2>&1 || true; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

ask() { # ask QUESTION MODE: the answer as JSON, or nothing
  curl -sS --max-time 90 "$api/ask" -H 'Content-Type: application/json' -d "{\"question\": \"$1\", \"mode\": \"$2\"}" 2>/dev/null || true
}
until_answered() { # until_answered QUESTION ASKED-MODE WANTED-MODE
  until answer=$(ask "$1" "$2") && grep -q '"status": *"answered"' <<<"$answer" && grep -q "\"mode\": *\"$3\"" <<<"$answer"; do
    if [ $((SECONDS - started)) -gt "$patience" ]; then echo "No $3 answer within $patience s; the last reply: $answer"; return 1; fi
    sleep 1
  done
}
show() { # the parts of an answer that matter, one a line
  "${compose[@]}" exec -T app python -c '
import json, sys
answer = json.load(sys.stdin)
print("   ", answer["answer"].replace("\n", "\n    "))
for c in answer["citations"]:
    print("    <-", c["source"], "page", c["page_first"], "|", c["quote"][:100])
' <<<"$1"
}
container() { "${compose[@]}" ps -q "$1"; }
state() { docker inspect --format "$2" "$(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter "label=com.docker.compose.service=$1" | head -n 1)"; }
is() { [ "$(state "$1" "$2")" = "$3" ]; }
becomes_healthy() { for _ in $(seq 60); do if is "$1" '{{.State.Health.Status}}' healthy; then return 0; fi; sleep 1; done; return 1; }

say "The compose file"
echo "compose $("${compose[@]}" version --short)"
"${compose[@]}" config --quiet
"${compose[@]}" down --volumes >/dev/null 2>&1 || true

say "Building"
if [ -n "${WHEELS:-}" ]; then
  for wheel in "$WHEELS"/*.whl; do
    copy=docker/wheels/$(basename "$wheel")
    [ -e "$copy" ] || { cp "$wheel" "$copy"; copied+=("$copy"); }
  done
fi
started=$SECONDS
"${compose[@]}" build
echo "built in $((SECONDS - started)) s"

say "Starting"
started=$SECONDS
"${compose[@]}" up --detach --no-build

until_answered "$question" extractive extractive
echo "first extractive answer after $((SECONDS - started)) s: $question"
show "$answer"
until_answered "$question" auto generated
echo "first generated answer after $((SECONDS - started)) s: $question"
show "$answer"
until_answered "$english" auto generated
echo "and in English after $((SECONDS - started)) s: $english"
show "$answer"

say "Checks"
for one in models-embedder models-generator ingest; do
  check "$one is done, exit code 0" is "$one" '{{.State.Status}} {{.State.ExitCode}}' 'exited 0'
done
for one in app llm; do
  check "$one is healthy" becomes_healthy "$one"
  check "$one was never restarted" is "$one" '{{.RestartCount}}' 0
  check "$one runs as user 10001" [ "$("${compose[@]}" exec -T "$one" id -u | tr -d '\r')" = 10001 ]
  check "$one cannot write to its own image" not "${compose[@]}" exec -T "$one" touch /qa/x /venv/x
  check "$one has no compiler" not "${compose[@]}" exec -T "$one" sh -c 'command -v gcc || command -v cc || command -v clang'
done
check "the API listens on loopback only" [ "$(docker port "$(container app)" | sed 's/.*-> //')" = "127.0.0.1:$QA_PORT" ]
check "the model server has no published port" [ -z "$(docker port "$(container llm)")" ]
check "the model server is on an internal network only" [ "$(for n in $(state llm '{{range $k, $v := .NetworkSettings.Networks}}{{$k}} {{end}}'); do
  docker network inspect -f '{{.Internal}}' "$n"; done | sort -u)" = true ]

say "Images, memory and times"
for image in "${QA_IMAGE:-domain-qa}" "${QA_LLM_IMAGE:-domain-qa-vllm-cpu}"; do docker images --format '{{.Repository}} {{.Size}}' "$image" | head -n 1; done
docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' "$(container app)" "$(container llm)"
for one in models-embedder models-generator ingest; do state "$one" "$one from {{.State.StartedAt}} to {{.State.FinishedAt}}"; done

say "The model server goes away"
"${compose[@]}" stop --timeout 20 llm >/dev/null 2>&1
answer=$(ask "$question" auto)
check "without the model server the answer is made of quotes" grep -q '"mode": *"extractive"' <<<"$answer"

exit "$failed"
