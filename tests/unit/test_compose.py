"""What docker-compose.yml promises an operator, read from the file: no engine is needed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.settings import Settings

ROOT = Path(__file__).parents[2]
ONE_SHOT = {"models-embedder", "models-generator", "ingest"}
SERVING = {"app", "llm", "llm-gpu"}
FIXED = {"QA_DATA_DIR", "QA_MODELS_DIR", "QA_PACK_SOURCE", "QA_HOST"}  # a container's own paths and address
FINISHED = "service_completed_successfully"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def example_lines() -> list[str]:
    return (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()


def example_names() -> set[str]:
    return {m[1] for line in example_lines() if (m := re.match(r"#([A-Z][A-Z0-9_]*)=", line))}


def dockerfiles() -> list[Path]:
    return sorted((ROOT / "docker").glob("*.Dockerfile"))


def test_every_service_is_known_here(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == ONE_SHOT | SERVING


def test_only_the_api_is_published_and_only_on_loopback(services: dict[str, dict[str, Any]]) -> None:
    published = {name: s["ports"] for name, s in services.items() if "ports" in s}
    assert set(published) == {"app"}
    assert all(port.startswith("127.0.0.1:") for port in published["app"])
    assert all("network_mode" not in s or s["network_mode"] == "none" for s in services.values()), "no host networking"


def test_the_model_server_on_a_cpu_reaches_nothing_but_the_app(compose: dict[str, Any]) -> None:
    assert compose["services"]["llm"]["networks"] == ["model"]
    assert compose["networks"]["model"]["internal"] is True
    assert {name for name, s in compose["services"].items() if "model" in s.get("networks", ())} == {"app", "llm", "llm-gpu"}


def test_ingest_parses_strangers_files_without_a_network(services: dict[str, dict[str, Any]]) -> None:
    assert services["ingest"]["network_mode"] == "none"


def test_every_service_is_hardened(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        user = service["user"].split(":")
        assert all(part.isdigit() and int(part) > 0 for part in user), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert 0 < service["pids_limit"] <= 4096, name
        assert not service.get("privileged"), name
        assert not any("docker.sock" in volume for volume in service.get("volumes", [])), name


def test_servers_have_health_checks_by_readiness(services: dict[str, dict[str, Any]]) -> None:
    wanted = {"app": "http://127.0.0.1:8000/ready", "llm": "http://127.0.0.1:8001/v1/models", "llm-gpu": "http://127.0.0.1:8001/v1/models"}
    for name, url in wanted.items():
        check = services[name]["healthcheck"]
        assert check["test"][0] == "CMD", "no shell"
        assert f"'{url}'" in check["test"][-1], name
        compile(check["test"][-1], name, "exec")


def test_what_serves_comes_back_and_what_is_done_stays_done(services: dict[str, dict[str, Any]]) -> None:
    assert {name: s["restart"] for name, s in services.items()} == {
        **dict.fromkeys(ONE_SHOT, "no"),
        **dict.fromkeys(SERVING, "unless-stopped"),
    }


def test_nothing_starts_before_its_weights_are_there(services: dict[str, dict[str, Any]]) -> None:
    waits = {name: {on: how["condition"] for on, how in s.get("depends_on", {}).items()} for name, s in services.items()}
    assert waits["ingest"] == {"models-embedder": FINISHED}
    assert waits["llm"] == {"models-generator": FINISHED}
    assert waits["models-embedder"] == waits["models-generator"] == {}


def test_the_api_waits_neither_for_the_model_nor_for_ingest(services: dict[str, dict[str, Any]]) -> None:
    assert set(services["app"]["depends_on"]) == {"models-embedder"}


def test_documents_and_weights_are_read_only_to_those_who_only_read_them(services: dict[str, dict[str, Any]]) -> None:
    assert "${DOCUMENTS_FOLDER:-./docs}:/documents:ro" in services["ingest"]["volumes"]
    for name in ("ingest", "app", "llm"):
        assert "models:/models:ro" in services[name]["volumes"], name


def test_a_gpu_takes_the_upstream_image_under_the_same_name(services: dict[str, dict[str, Any]]) -> None:
    gpu = services["llm-gpu"]
    assert gpu["profiles"] == ["gpu"]
    assert "vllm/vllm-openai:" in gpu["image"]
    assert "build" not in gpu
    assert gpu["networks"]["model"]["aliases"] == ["llm"], "the API finds either model server at the same address"
    assert all("profiles" not in s for name, s in services.items() if name != "llm-gpu")


def test_every_setting_reaches_a_container_or_is_fixed_there(services: dict[str, dict[str, Any]]) -> None:
    handed_on = {name for s in services.values() for name in s.get("environment", {})} | FIXED | {"QA_PORT"}
    assert {f"QA_{name.upper()}" for name in Settings.model_fields} - handed_on == set()


def test_no_container_is_handed_a_setting_that_does_not_exist(services: dict[str, dict[str, Any]]) -> None:
    known = {f"QA_{name.upper()}" for name in Settings.model_fields}
    handed_on = {name for s in services.values() for name in s.get("environment", {}) if name.startswith("QA_")}
    assert handed_on - known == set(), "a service would not start: unknown variables are refused"


def test_the_example_names_exactly_the_variables_that_compose_reads(services: dict[str, dict[str, Any]]) -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    interpolated = set(re.findall(r"\$\{([A-Z0-9_]+)", text))
    handed_on = {name for s in services.values() for name, value in s.get("environment", {}).items() if value is None}
    assert example_names() == interpolated | handed_on


def test_the_example_changes_nothing_and_explains_each_line() -> None:
    lines = example_lines()
    assert all(not line or line.startswith("#") for line in lines), "copied as it is, it must set nothing"
    for above, line in zip(lines, lines[1:], strict=False):
        if re.match(r"#[A-Z][A-Z0-9_]*=", line):
            assert above.startswith("#"), f"{line} has no comment"


def test_the_example_shows_the_defaults_of_the_settings() -> None:
    shown = dict(re.findall(r"^#QA_([A-Z0-9_]+)=(.*)$", "\n".join(example_lines()), re.MULTILINE))
    for name, field in Settings.model_fields.items():
        if name.upper() in shown and name != "generator_url":  # inside, the server has another name than on one machine
            given = Settings.model_validate({name: shown[name.upper()]} if shown[name.upper()] else {})
            assert getattr(given, name) == getattr(Settings(), name), name
            assert field.description


def test_images_run_as_the_user_of_the_compose_file_and_carry_no_compiler() -> None:
    assert dockerfiles()
    for path in dockerfiles():
        text = path.read_text(encoding="utf-8")
        final = text.rsplit("\nFROM ", 1)[1]
        assert "USER 10001:10001" in final, path.name
        assert not re.search(r"\b(gcc|g\+\+|build-essential|pip install)\b", final), path.name
        assert text.count("\nFROM ") >= 2, f"{path.name}: what is built stays out of what is run"


def test_images_are_built_from_the_locks_by_the_script_that_make_uses() -> None:
    script = (ROOT / "scripts" / "install.sh").read_text(encoding="utf-8")
    assert "--require-hashes" in script
    assert "--no-deps" in script
    for path in dockerfiles():
        assert re.search(r"scripts/install\.sh /venv locks/[a-z-]+\.lock", path.read_text(encoding="utf-8")), path.name


def test_what_the_images_copy_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    for path in dockerfiles():
        for copied in re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(encoding="utf-8"), re.MULTILINE):
            for source in copied.split():
                assert any(source == s or f"{source}".startswith(f"{s}/") or s.startswith(f"{source}") for s in sent), (
                    f"{path.name}: {source}"
                )
                assert (ROOT / source).exists(), source


def run_prepare(**settings: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QA_")} | {"PYTHONPATH": str(ROOT), **settings}
    return subprocess.run([sys.executable, ROOT / "docker" / "prepare.py"], env=environment, capture_output=True, text=True, check=False)


def test_an_unknown_embedder_ends_the_start_with_one_line_that_helps(tmp_path: Path) -> None:
    done = run_prepare(QA_EMBEDDER="multilingual-e6", QA_MODELS_DIR=str(tmp_path))
    assert done.returncode == 2, "depends_on then keeps ingest and API from starting"
    assert "multilingual-e6" in done.stderr
    assert "multilingual-e5-small" in done.stderr, "the known ones are listed"
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
