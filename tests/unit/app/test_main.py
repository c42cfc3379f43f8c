"""The composition root: what it lists, and that it says so when weights are missing."""

from pathlib import Path

import pytest

from app.main import build_services, known_generators
from core.errors import QaError
from core.settings import Settings
from models.packs import PACKS


def test_the_pack_that_would_be_served_is_listed_before_the_server_was_seen() -> None:
    assert known_generators("auto")[0] in PACKS
    assert known_generators("qwen2.5-coder-0.5b-instruct") == ("qwen2.5-coder-0.5b-instruct",)
    assert known_generators("qwen2.5-coder-1.5b-instruct:w8a8") == ("qwen2.5-coder-1.5b-instruct",)
    assert known_generators("some/folder") == ()


def test_missing_weights_are_said_in_one_line_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(QaError, match="python -m models pull") as raised:
        build_services(Settings(models_dir=tmp_path, data_dir=tmp_path))
    assert "\n" not in str(raised.value)
