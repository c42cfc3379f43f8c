"""The list of file formats. A new one is a file with a `load` function and a line here.

A loader is named by its module and imported by the child process that needs it: a folder of Markdown never loads a PDF library,
and a library that does not import breaks its own format alone.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import cast

from ingest.loaders.parsed import Parsed

Load = Callable[[bytes], Parsed]


@dataclass(frozen=True, slots=True)
class Format:
    """One format: the module that loads it, and the lower-case endings of file names it is known by."""

    name: str
    media_type: str
    suffixes: tuple[str, ...]
    module: str


FORMATS: tuple[Format, ...] = (
    Format("pdf", "application/pdf", (".pdf",), "ingest.loaders.pdf"),
    Format("markdown", "text/markdown", (".md", ".markdown"), "ingest.loaders.markdown"),
    Format("mdx", "text/markdown", (".mdx",), "ingest.loaders.mdx"),
    Format("text", "text/plain", (".txt", ".text"), "ingest.loaders.text"),
    Format("html", "text/html", (".html", ".htm", ".xhtml"), "ingest.loaders.html"),
    Format("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", (".docx",), "ingest.loaders.docx"),
)


def format_of(source: str) -> Format | None:
    """The format of a file by the ending of its name; None where no loader knows it."""
    suffix = PurePosixPath(source).suffix.lower()
    return next((f for f in FORMATS if suffix in f.suffixes), None)


def format_named(name: str) -> Format:
    """Raises KeyError for a name that is not in the list."""
    return {f.name: f for f in FORMATS}[name]


def loader_of(chosen: Format) -> Load:
    """Import the loader. Called in the child process only."""
    return cast(Load, importlib.import_module(chosen.module).load)
