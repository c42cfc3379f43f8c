from pathlib import Path

import pytest
from pydantic import ValidationError

from core.errors import BadRequest
from core.settings import Settings, read_settings


def test_without_variables_every_setting_has_a_default() -> None:
    settings = read_settings({})
    assert settings.host == "127.0.0.1", "nothing but this machine is served unless asked for"
    assert settings.data_dir == Path("data")
    assert settings == Settings()


def test_a_variable_is_the_field_in_capitals() -> None:
    settings = read_settings({"QA_PORT": "9000", "QA_DATA_DIR": "/srv/資料", "QA_EVIDENCE_THRESHOLD": "0.25", "PATH": "/bin"})
    assert (settings.port, settings.data_dir, settings.evidence_threshold) == (9000, Path("/srv/資料"), 0.25)


def test_an_empty_variable_is_an_unset_one() -> None:
    assert read_settings({"QA_PACK_SOURCE": "", "QA_PORT": ""}) == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QA_PORT", "many"),
        ("QA_PORT", "70000"),
        ("QA_PROT", "8000"),
        ("QA_EMBEDDER_BACKEND", "cuda"),
        ("QA_EVIDENCE_THRESHOLD", "1.5"),
        ("QA_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_bad_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(BadRequest, match=name):
        read_settings({name: value})


def test_all_bad_variables_are_named_at_once() -> None:
    with pytest.raises(BadRequest, match=r"QA_PORT.*QA_THREADS|QA_THREADS.*QA_PORT"):
        read_settings({"QA_PORT": "-1", "QA_THREADS": "-1"})


def test_the_key_of_a_client_is_not_a_setting_of_the_service() -> None:
    assert read_settings({"QA_API_KEY": "secret"}) == Settings()


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def test_the_cache_follows_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert read_settings({}).models_dir == tmp_path / "domain-qa"


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_can_be_set_to_its_own_default(field: str) -> None:
    default = getattr(Settings(), field)
    variable = {f"QA_{field.upper()}": "" if default is None else str(default)}
    assert read_settings(variable) == Settings()


def test_a_folder_may_have_any_name() -> None:
    settings = read_settings({"QA_PACK_SOURCE": "/media/隨身碟/my packs", "QA_MODELS_DIR": "relative/folder"})
    assert settings.pack_source == Path("/media/隨身碟/my packs")
    assert settings.models_dir == Path("relative/folder")
