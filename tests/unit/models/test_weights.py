"""Only whole weights that are pure data are handed out."""

import json
from pathlib import Path

import pytest

from core.errors import NotFound, PackError
from models.packs import find_pack
from models.store import Store, write_manifest
from models.weights import variant_of, weights_dir
from tests.unit.models.packkit import settings


def place(tmp_path: Path, folder: str, pack: str, config: str = "{}") -> Path:
    store = Store(tmp_path / "models")
    store.prepare()
    with store.building(folder) as built:
        (built / "config.json").write_text(config)
        (built / "model.safetensors").write_bytes(b"\0" * 16)
        write_manifest(built, pack, [file.sha256 for file in find_pack(pack).files])
    return store.weights / folder


def test_a_pulled_pack_is_found_by_name_and_by_format(tmp_path: Path) -> None:
    e5 = place(tmp_path, "multilingual-e5-small", "multilingual-e5-small")
    qwen = place(tmp_path, "qwen2.5-coder-0.5b-instruct-w8a8", "qwen2.5-coder-0.5b-instruct")
    assert weights_dir("multilingual-e5-small", settings(tmp_path)) == e5
    assert weights_dir("qwen2.5-coder-0.5b-instruct:w8a8", settings(tmp_path)) == qwen


def test_a_pack_that_is_not_here_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="multilingual-e5-small is not on this machine: run `python -m models pull multilingual-e5-small`"):
        weights_dir("multilingual-e5-small", settings(tmp_path))


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    folder = place(tmp_path, "multilingual-e5-small", "multilingual-e5-small")
    (folder / "model.safetensors").write_bytes(b"\1" + b"\0" * 15)
    with pytest.raises(PackError, match=r"model\.safetensors does not match its SHA-256.*pull multilingual-e5-small"):
        weights_dir("multilingual-e5-small", settings(tmp_path))


def test_weights_of_another_release_of_the_pack_are_refused(tmp_path: Path) -> None:
    place(tmp_path, "multilingual-e5-small", "smollm2-135m-instruct")
    with pytest.raises(PackError, match="was made from other files"):
        weights_dir("multilingual-e5-small", settings(tmp_path))


def own_folder(tmp_path: Path, config: object = None) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({} if config is None else config))
    (folder / "model.safetensors").write_bytes(b"\0")
    return folder


def test_a_folder_of_ones_own_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = own_folder(tmp_path)
    assert weights_dir(str(folder), settings(tmp_path)) == folder


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no folder"):
        weights_dir(str(tmp_path / "none"), settings(tmp_path))


def test_a_model_that_brings_code_is_refused(tmp_path: Path) -> None:
    folder = own_folder(tmp_path, {"auto_map": {"AutoModel": "evil.Model"}})
    with pytest.raises(PackError, match="auto_map"):
        weights_dir(str(folder), settings(tmp_path))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = own_folder(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(PackError, match="no \\*.safetensors file"):
        weights_dir(str(folder), settings(tmp_path))


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    folder = own_folder(tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(PackError, match="config.json cannot be read"):
        weights_dir(str(folder), settings(tmp_path))


def test_an_unknown_name_gets_the_list(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="known packs: all-minilm"):
        weights_dir("gpt-9", settings(tmp_path))


def test_auto_is_a_generator_of_the_table() -> None:
    assert find_pack(variant_of("auto").partition(":")[0]).kind == "generator"
    assert variant_of("smollm2-135m-instruct") == "smollm2-135m-instruct"
