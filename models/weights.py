"""Where the ready-to-load weights of a pack are."""

import json
from pathlib import Path

from core.errors import NotFound, PackError
from core.settings import Settings
from models.machine import choose_generator, read_machine
from models.packs import PACKS, find_variant, folder_name
from models.store import MANIFEST, Store, find_fault

AUTO = "auto"


def variant_of(name: str) -> str:
    """`auto` as the variant it means on this machine; any other name unchanged."""
    return choose_generator(read_machine()) if name == AUTO else name


def weights_dir(name_or_folder: str, settings: Settings) -> Path:
    """Folder with ready-to-load weights (config.json, model.safetensors, tokenizer). Every file of it has the hash it was made with.

    Accepts a pack name, a variant `pack:format`, `auto`, or an existing folder. Raises NotFound for an unknown name and PackError
    when the weights are not here, are damaged, or ask for code of their own to be run.
    """
    wanted = variant_of(name_or_folder)
    folder = Path(wanted).expanduser()
    if wanted.partition(":")[0] not in PACKS and folder.is_dir():
        fault = find_fault(folder) if (folder / MANIFEST).is_file() else ""
    elif "/" in wanted:
        raise NotFound(f"there is no folder {wanted}")
    else:
        pack, form = find_variant(wanted)
        folder = Store(settings.models_dir).weights / folder_name(pack, form)
        fault = find_fault(folder, [file.sha256 for file in pack.files])
    if fault:
        raise PackError(f"{wanted} {fault}: run `python -m models pull {wanted}`")
    _refuse_code(folder)
    return folder


def _refuse_code(folder: Path) -> None:
    """Weights are data. Raises PackError for a folder without safetensors or whose configuration names Python code to load."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PackError(f"{folder}: config.json cannot be read") from error
    if not any(folder.glob("*.safetensors")):
        raise PackError(f"{folder} has no *.safetensors file; other weight formats can hold code and are not loaded")
    if "auto_map" in config:
        raise PackError(f"{folder}: config.json names code of its own (auto_map); such models are not loaded")
