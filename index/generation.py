"""One published state of a collection: an immutable folder, a manifest written last, and one pointer file.

    generations/000042/   vectors.faiss  rows.npy  lexical/  manifest.json
    CURRENT               "000042 <hash of its manifest>", replaced by one rename

The manifest holds the SHA-256 of every file and of itself; the pointer holds that of the manifest. Nothing is used before it was checked.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import Damaged
from index.disk import fsync_file, fsync_tree, sha256_of, write_durable

FORMAT = 1
_NAME = re.compile(r"^\d{6,}$")
_POINTER = re.compile(r"^(\d{6,}) ([0-9a-f]{16})\n$")
_LOCKS = frozenset({".tantivy-meta.lock", ".tantivy-writer.lock"})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a generation is made of.

    `vectors` is the kind of the vector index, `spread` that of its cosines (`index.fusion`); `files` maps a path relative to the
    generation's folder to the SHA-256 of the file.
    """

    generation: int
    documents: int
    passages: int
    document_set: str
    embedder: str
    dimension: int
    chunker: str
    vectors: str
    spread: float
    files: Mapping[str, str]
    format: int = FORMAT


def folder_of(collection: Path, generation: int) -> Path:
    return collection / "generations" / f"{generation:06d}"


def generation_numbers(collection: Path) -> list[int]:
    """Numbers of the generation folders there are, newest first."""
    root = collection / "generations"
    return sorted((int(p.name) for p in root.iterdir() if _NAME.match(p.name)), reverse=True) if root.is_dir() else []


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder` but the manifest and the engine's lock files."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in _LOCKS and p != folder / "manifest.json")
    return {p.relative_to(folder).as_posix(): sha256_of(p) for p in paths}


def _encode(manifest: Manifest) -> bytes:
    body = json.dumps(asdict(manifest), ensure_ascii=True, sort_keys=True, indent=1)
    return f"{body}\n{hashlib.sha256(body.encode()).hexdigest()}\n".encode()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last file of a generation: its existence says that the folder is complete. Everything is on disk when this returns."""
    fsync_tree(folder)
    write_durable(folder / "manifest.json", _encode(manifest))


def read_manifest(folder: Path) -> Manifest:
    """Raises Damaged unless the manifest is byte for byte what was written, in a format this version knows."""
    path = folder / "manifest.json"
    try:
        raw = path.read_bytes()
        body, digest, rest = raw.decode("ascii").rsplit("\n", maxsplit=2)
        if rest or hashlib.sha256(body.encode()).hexdigest() != digest:
            raise Damaged(f"{path} is not what was written")
        manifest = Manifest(**json.loads(body))
    except (OSError, ValueError, TypeError) as error:
        raise Damaged(f"{path} cannot be read: {error}") from error
    if manifest.format != FORMAT or f"{manifest.generation:06d}" != folder.name.removeprefix(".building-"):
        raise Damaged(f"{path} is of format {manifest.format}, generation {manifest.generation}: not what this version expects here")
    return manifest


def verify(folder: Path) -> Manifest:
    """The manifest of a generation whose every file has the hash it says; else Damaged, naming the file."""
    manifest = read_manifest(folder)
    for name, digest in manifest.files.items():
        path = folder / name
        try:
            found = sha256_of(path)
        except OSError as error:
            raise Damaged(f"{path} cannot be read: {error}") from error
        if found != digest:
            raise Damaged(f"{path} does not have the hash that the manifest of generation {manifest.generation} says")
    return manifest


def pointer_text(collection: Path) -> str:
    """The content of CURRENT, "" when there is none."""
    try:
        return (collection / "CURRENT").read_text(encoding="ascii")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        return f"unreadable: {error}"


def _manifest_mark(folder: Path) -> str:
    return sha256_of(folder / "manifest.json")[:16]


def current(collection: Path) -> int | None:
    """The generation that CURRENT names; None when it names none, or not the manifest that is there."""
    match = _POINTER.match(pointer_text(collection))
    if not match:
        return None
    number = int(match[1])
    try:
        return number if _manifest_mark(folder_of(collection, number)) == match[2] else None
    except OSError:
        return None


def publish(collection: Path, generation: int) -> None:
    """Make `generation` the current one: one rename, durable when this returns."""
    write_durable(collection / "CURRENT", f"{generation:06d} {_manifest_mark(folder_of(collection, generation))}\n".encode())


def building_folder(collection: Path, generation: int) -> Path:
    return collection / "generations" / f".building-{generation:06d}"


def adopt(collection: Path, generation: int) -> None:
    """Give a finished building folder its name."""
    building_folder(collection, generation).rename(folder_of(collection, generation))
    fsync_file(collection / "generations")


def set_aside(collection: Path, generation: int) -> None:
    """Rename a damaged generation so that no reader opens it and a person can look at it. Only the writer does this."""
    folder = folder_of(collection, generation)
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.damaged"))
        fsync_file(folder.parent)


def remove(collection: Path, generation: int) -> None:
    """Delete a generation no longer kept: renamed first, so that a half-deleted one is never opened."""
    folder = folder_of(collection, generation)
    doomed = folder.with_name(f".deleted-{folder.name}")
    if folder.exists():
        folder.rename(doomed)
        fsync_file(folder.parent)
        shutil.rmtree(doomed, ignore_errors=True)


def sweep(collection: Path) -> None:
    """Remove what an interrupted writer left behind: nothing published is touched."""
    root = collection / "generations"
    if root.is_dir():
        for path in root.iterdir():
            if path.name.startswith((".building-", ".deleted-")):
                shutil.rmtree(path, ignore_errors=True)
