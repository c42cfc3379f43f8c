"""The child process that turns bytes into text: `python -m ingest.parser SECONDS MEGABYTES CHARACTERS`, started by `sandbox.py`.

It reads one request after the other from standard input and answers on standard output: a JSON header line with the number of
bytes that follow, then those bytes. A request is a file; an answer is a Parsed as JSON, or a reason why there is none.
It limits itself before it reads the first byte, and imports a loader only when a file needs it.
"""

import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import Unreadable
from ingest.loaders.formats import format_named, loader_of
from ingest.loaders.parsed import Parsed, storable

_TEXT = ("text/plain", "text/markdown")
_MOST_FILES = 500  # then a fresh process takes over: C libraries leak


def main(arguments: list[str]) -> int:
    seconds, megabytes, characters = float(arguments[0]), int(arguments[1]), int(arguments[2])
    requests, answers = _take_streams()
    _limit(megabytes)
    for number in range(1, _MOST_FILES + 1):
        header = requests.readline()
        if not header:
            return 0
        request = json.loads(header)
        _limit_cpu(seconds)
        answer, spent = parse(request["format"], requests.read(request["size"]), characters)
        grown = peak_bytes() > megabytes * 1_000_000 // 2
        last = spent or grown or number == _MOST_FILES
        body = json.dumps(answer, ensure_ascii=False).encode("utf-8", errors="replace")
        answers.write(json.dumps({"size": len(body), "last": last}).encode() + b"\n" + body)
        answers.flush()
        if last:
            return 0
    return 0


def parse(format_name: str, data: bytes, characters: int) -> tuple[dict[str, Any], bool]:
    """(answer, whether this process should end now). Any failure of a loader becomes an answer: this is the outer edge."""
    try:
        chosen = format_named(format_name)
        if chosen.media_type.startswith(_TEXT) and len(data) > 4 * characters:  # no encoding takes more than four bytes
            raise Unreadable("limit", f"its text has more than the {characters:,} characters that QA_DOCUMENT_CHARS allows")
        parsed = loader_of(chosen)(data)
        if len(parsed.text) > characters:
            raise Unreadable("limit", f"its text has {len(parsed.text):,} characters, QA_DOCUMENT_CHARS allows {characters:,}")
        return _as_json(parsed), False
    except Unreadable as error:
        return {"reason": error.reason, "detail": error.detail}, False
    except MemoryError:
        return {"reason": "limit", "detail": "it needs more memory than QA_PARSE_MEMORY_MB allows"}, True
    except RecursionError:
        return {"reason": "limit", "detail": "it is nested too deeply"}, True
    except Exception as error:  # noqa: BLE001 - the parsers raise anything on a damaged file, and the next file must be parsed
        return {"reason": "damaged", "detail": storable(f"{type(error).__name__}: {error}")[:300]}, True


def _as_json(parsed: Parsed) -> dict[str, Any]:
    return {
        "text": storable(parsed.text),
        "title": storable(parsed.title),
        "pages": [(p.number, p.start, p.end, storable(p.label)) for p in parsed.pages],
        "blocks": [(b.kind, b.start, b.end, b.level, storable(b.label)) for b in parsed.blocks],
        "metadata": {storable(k): storable(v) for k, v in parsed.metadata.items()},
    }


def _take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Our ends of the pipes. File descriptors 0 and 1 then lead to nowhere: a library that prints cannot spoil an answer."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return requests, answers


def peak_bytes() -> int:
    """Most memory this process ever had. Not ru_maxrss where it can be helped: Linux carries the parent's over exec, and a parent
    that has loaded a model would have every child end after one file."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _limit(megabytes: int) -> None:
    for what, most in ((resource.RLIMIT_AS, megabytes * 1_000_000), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        hard = resource.getrlimit(what)[1]
        with contextlib.suppress(ValueError, OSError):  # some systems do not know a limit; the clock still holds
            resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _limit_cpu(seconds: float) -> None:
    """The parent's clock ends a file that takes too long; this ends it when the parent is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + 2 * seconds) + 5, hard))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
