"""`python -m ingest DIR`: bring a collection in line with a folder. The composition root of ingest."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from core.errors import BadRequest, NotFound, QaError
from core.logs import set_up_logs
from core.settings import Settings, read_settings
from index.embedder import open_embedder, weights_id
from index.ledger import Ledger
from index.records import DocumentRecord, Embedder
from index.writer import Writer
from ingest.chunking import chunker_version
from ingest.discover import Found, walk
from ingest.embedding import LazyEmbedder
from ingest.pipeline import Ingest, Report, make_plan, planned
from ingest.progress import Progress
from ingest.report import as_json, language_of, render, shown
from ingest.sandbox import Sandbox
from models.weights import weights_dir

GOOD, SOME_FAILED, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 130
_COLLECTION = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_EXAMPLES = """
examples:
  python -m ingest docs/                        index the folder docs/ into the collection "default"
  python -m ingest manuals/ --collection kb     into the collection "kb"
  python -m ingest docs/ --dry-run              show what would be added, replaced and dropped; write nothing
  python -m ingest docs/ --full                 read and embed everything again, for example with another embedder

Run it again whenever the folder has changed: unchanged files are not read into the index again, changed ones are replaced,
vanished ones are dropped. A file that fails does not stop the others, and what the index had of it stays.
formats: pdf, md, mdx, txt, html, docx. Other files are listed as skipped.

exit codes:
  0  everything was indexed
  1  some files failed; the report says which and why
  2  could not run: nothing was changed, or only whole files were; run the same command again

Settings come from QA_* environment variables: QA_DATA_DIR (where the index is), QA_EMBEDDER, QA_PASSAGE_TOKENS,
QA_FILE_MB, QA_DOCUMENT_CHARS, QA_PARSE_SECONDS, QA_PARSE_MEMORY_MB.
"""

OpenEmbedder = Callable[[Settings], Embedder]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ingest",
        description="Bring a collection in line with a folder of documents.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="the folder of documents")
    parser.add_argument("--collection", metavar="NAME", default="default", help='the collection to write (default: "default")')
    parser.add_argument("--dry-run", action="store_true", help="show the plan and write nothing")
    parser.add_argument("--full", action="store_true", help="read and embed every file again; also the way to change the embedder")
    parser.add_argument("--allow-empty", action="store_true", help="let an empty folder empty the collection")
    parser.add_argument("--json", action="store_true", help="write the report as JSON")
    return parser


def settings_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name, not loaded yet."""
    folder = weights_dir(settings.embedder, settings)
    return LazyEmbedder(weights_id(folder), lambda: open_embedder(folder, backend=settings.embedder_backend, threads=settings.threads))


def main(
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    embedder: OpenEmbedder = settings_embedder,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    environ = os.environ if environ is None else environ
    out, err = out or sys.stdout, err or sys.stderr
    language = language_of(environ)
    try:
        settings = read_settings(environ)
        set_up_logs(settings.log_level)
        with Progress(language, out=err) as watcher:
            report = _run(options, settings, watcher, embedder)
    except QaError as error:
        err.write(f"ingest: {shown(str(error))}\n")
        return COULD_NOT_RUN
    except OSError as error:
        err.write(f"ingest: {shown(str(error))}: what was in the index is as it was; run the same command again\n")
        return COULD_NOT_RUN
    except KeyboardInterrupt:
        err.write("ingest: interrupted; whole files are kept, run the same command again to go on\n")
        return INTERRUPTED
    folder, collection = str(options.folder), options.collection
    out.write((as_json(report, folder, collection) if options.json else render(report, folder, collection, language)) + "\n")
    out.flush()
    return SOME_FAILED if report.failed else GOOD


def _run(options: argparse.Namespace, settings: Settings, watcher: Progress, embedder: OpenEmbedder) -> Report:
    if not _COLLECTION.fullmatch(options.collection):
        raise BadRequest(
            f"{options.collection!r} cannot name a collection: use 1 to 64 of a-z, 0-9, _ and -, beginning with a letter or digit"
        )
    found = walk(options.folder, leave_out=(settings.data_dir, settings.models_dir))
    if not found.files and not found.failed and not options.allow_empty:
        raise BadRequest(
            f"{options.folder} holds no file that can be indexed{_hint(found)}: nothing was changed (--allow-empty empties the collection)"
        )
    folder = settings.data_dir / options.collection
    chunker = chunker_version(settings.passage_tokens)
    if options.dry_run:
        plan = make_plan(found, _recorded(folder), chunker=chunker, file_mb=settings.file_mb, watcher=watcher, everything=options.full)
        return planned(plan, found)
    model = embedder(settings)
    before = _recorded(folder) if options.full else {}
    with (
        Writer.open(folder, model, chunker=chunker, keep=settings.keep_generations, full=options.full) as writer,
        Sandbox(seconds=settings.parse_seconds, memory_mb=settings.parse_memory_mb, characters=settings.document_chars) as sandbox,
    ):
        records = before if options.full else writer.documents()
        plan = make_plan(found, records, chunker=chunker, file_mb=settings.file_mb, watcher=watcher, everything=options.full)
        ingest = Ingest(
            store=writer,
            embedder=model,
            parser=sandbox,
            watcher=watcher,
            passage_tokens=settings.passage_tokens,
            file_mb=settings.file_mb,
            workers=min(4, len(os.sched_getaffinity(0))),
            originals=folder / "originals" if options.full else None,
        )
        return ingest.run(plan, found, records)


def _hint(found: Found) -> str:
    return f" ({len(found.skipped)} skipped: {', '.join(sorted({o.reason for o in found.skipped}))})" if found.skipped else ""


def _recorded(folder: Path) -> dict[str, DocumentRecord]:
    """What the index holds, read without taking the lock and without an embedder; {} when there is none."""
    try:
        ledger = Ledger(folder / "ledger.sqlite")
    except NotFound:
        return {}
    try:
        return {record.source: record for record in ledger.records()}
    finally:
        ledger.close()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may hold what the terminal cannot show
    sys.exit(main(sys.argv[1:]))
