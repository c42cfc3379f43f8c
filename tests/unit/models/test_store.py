"""Weights are there whole or not at all, and damage of one byte is found."""

import errno
import json
import multiprocessing
import time
from pathlib import Path

import pytest

from core.errors import DiskFull, PackError
from models.store import MANIFEST, Store, disk_error, find_fault, write_manifest
from tests.unit.models.packkit import left_over


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "models")
    made.prepare()
    return made


def build(store: Store, content: str = "weights") -> Path:
    with store.building("m") as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "a.txt").write_text(content)
        (folder / "b.bin").write_bytes(b"\0" * 100)
        write_manifest(folder, "m:f32", ["1" * 64])
    return store.weights / "m"


def test_a_finished_build_is_published_whole(store: Store) -> None:
    folder = build(store)
    assert find_fault(folder, ["1" * 64]) == ""
    assert json.loads((folder / MANIFEST).read_text())["name"] == "m:f32"
    assert left_over(store.root) == []


def test_a_failed_build_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.building("m") as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(store.weights.iterdir()) == []


def test_a_failed_build_leaves_the_old_weights(store: Store) -> None:
    target = build(store, "old")
    with pytest.raises(KeyboardInterrupt), store.building("m"):
        raise KeyboardInterrupt
    assert (target / "sub" / "a.txt").read_text() == "old"
    assert find_fault(target) == ""


def test_a_new_build_replaces_the_old_one(store: Store) -> None:
    build(store, "old")
    target = build(store, "new")
    assert (target / "sub" / "a.txt").read_text() == "new"
    assert [p.name for p in store.weights.iterdir()] == ["m"]


def test_leftovers_of_a_killed_process_are_removed(store: Store) -> None:
    stale = store.weights / "m.tmp-99999"
    stale.mkdir()
    (stale / "half").write_text("x")
    build(store)
    assert not stale.exists()


def test_a_full_disk_while_building_is_said_so(store: Store) -> None:
    with pytest.raises(DiskFull, match="make room"), store.building("m"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(store.weights.iterdir()) == []


@pytest.mark.parametrize("name", ["sub/a.txt", "b.bin"])
def test_one_flipped_byte_is_found_and_named(store: Store, name: str) -> None:
    folder = build(store)
    data = bytearray((folder / name).read_bytes())
    data[3] ^= 1
    (folder / name).write_bytes(bytes(data))
    assert find_fault(folder) == f"is damaged: {name} does not match its SHA-256"


def test_other_faults_are_named(store: Store, tmp_path: Path) -> None:
    folder = build(store)
    assert find_fault(tmp_path / "none") == "is not on this machine"
    assert find_fault(folder, ["2" * 64]) == "was made from other files than the pack now names"
    (folder / "b.bin").unlink()
    assert find_fault(folder) == "is damaged: b.bin is missing"
    (folder / MANIFEST).write_text("{")
    assert find_fault(folder) == "is damaged: pack.json cannot be read"


def test_files_beside_the_weights_are_allowed(store: Store) -> None:
    folder = build(store)
    (folder / "compiled.blob").write_text("a backend put it here")
    assert find_fault(folder) == ""


def test_too_little_room_is_said_with_both_numbers(tmp_path: Path) -> None:
    store = Store(tmp_path, free=lambda _: 1_500_000_000)
    store.need(1_000_000_000, "x")
    with pytest.raises(DiskFull, match=r"x needs 2\.00 GB, .* has 1\.50 GB free; make room or set QA_MODELS_DIR"):
        store.need(2_000_000_000, "x")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PackError, match="QA_MODELS_DIR"):
        Store(tmp_path / "file" / "models").prepare()


def test_disk_errors_are_told_apart(tmp_path: Path) -> None:
    assert isinstance(disk_error(OSError(errno.ENOSPC, "x"), tmp_path), DiskFull)
    assert isinstance(disk_error(OSError(errno.EACCES, "Permission denied", "f"), tmp_path), PackError)


def hold(root: Path, ready: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with Store(root).locked("m"):
        ready.set()
        done.wait(20)


def test_two_processes_take_turns(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=hold, args=(store.root, ready, done))
    other.start()
    assert ready.wait(20)
    waited: list[float] = []

    def waiting() -> None:
        waited.append(time.monotonic())
        done.set()

    with store.locked("m", waiting):
        pass
    other.join(20)
    assert len(waited) == 1
    assert other.exitcode == 0
