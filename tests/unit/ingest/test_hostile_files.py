"""Files that are broken at random end in a text or in a reason, whatever the format, and what is cut out of them is sound."""

import random
from collections.abc import Callable

import pytest

from core.types import Document
from index.fakes import FakeEmbedder
from ingest.chunking import cut
from ingest.loaders.parsed import Block, Parsed
from ingest.parser import parse
from tests.unit.ingest.samples import docx, paragraph, pdf, raw_pdf, table

REASONS = {"no text", "encrypted", "limit", "damaged"}
COUNT = FakeEmbedder().count_tokens

SEEDS: dict[str, bytes] = {
    "pdf": pdf(["# Pumps\nThe pump moves water.\n- one\n- two", "# Tanks\nThe tank holds it."], title="Book", author="Ann"),
    "docx": docx(paragraph("標題", style="H1") + paragraph("內文。", num="1") + table([["a", "b"], ["1", "2"]])),
    "html": "<html><head><title>T</title></head><body><h1>A</h1><p>文字 &amp; text</p><ul><li>x</ul><table><tr><td>1<td>2</table>".encode(),
    "markdown": "---\ntitle: T\n---\n# A\n\n文字 **b** `c`\n\n- x\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n".encode(),
    "mdx": "import A from 'b'\n\n# A\n\n<Tip>\n文字\n</Tip>\n\n{/* c */}\n\n<B x={{a: 1}} />".encode(),
    "text": "第一章 總則\n\n文字。Text.\r\n\r\nMore text.".encode("big5"),
}


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 20)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def shortened(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def repeated(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 30)]
    return data[:start] + piece * rng.randrange(2, 40) + data[start:]


def gutted(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 200) :]


def sound(found: dict[str, object]) -> Parsed:
    """The Parsed of an answer; fails when its offsets do not fit together."""
    text = str(found["text"])
    text.encode("utf-8")
    assert "\0" not in text
    blocks = tuple(Block(*block) for block in found["blocks"])  # type: ignore[attr-defined]
    assert all(0 <= b.start < b.end <= len(text) for b in blocks)
    assert all(a.end <= b.start for a, b in zip(blocks, blocks[1:], strict=False))
    assert all((b.level > 0) == (b.kind == "heading") for b in blocks)
    return Parsed(text, str(found["title"]), (), blocks)


@pytest.mark.parametrize("damage", [flipped, shortened, repeated, gutted], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", SEEDS)
def test_a_damaged_file_ends_in_a_text_or_a_reason(name: str, damage: Callable[[bytes, random.Random], bytes]) -> None:
    rng = random.Random(f"{name} {damage.__name__}")
    for _ in range(25):
        data = damage(SEEDS[name], rng)
        found, _ = parse(name, data, 100_000)
        if "reason" in found:
            assert found["reason"] in REASONS
            assert found["detail"]
            continue
        parsed = sound(found)
        document = Document("d" * 16, "x", parsed.title, "", parsed.text, (), "0" * 64)
        for passage in cut(document, parsed, COUNT, 20):
            assert passage.text == parsed.text[passage.start : passage.end]
            assert passage.page_first == passage.page_last == 1


@pytest.mark.parametrize("name", SEEDS)
@pytest.mark.parametrize("other", SEEDS)
def test_a_file_under_the_name_of_another_format_is_no_trap(name: str, other: str) -> None:
    found, _ = parse(name, SEEDS[other], 100_000)
    assert found.get("reason", "damaged") in REASONS
    if {name, other} & {"pdf", "docx"} and name != other:
        assert found["reason"] == "damaged", "a PDF or a Word file is never read as text, nor text as one of them"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"BT",
        b"BT /F1 12 Tf (unclosed",
        b"q " * 5_000,
        b"BT /F1 1e9 Tf (huge) Tj ET",
        b"BT /F1 -12 Tf 1e30 0 0 1e30 0 0 Tm (far) Tj ET",
        b"BT /F1 12 Tf <FFFE00000D0A> Tj ET",
        b"/X0 Do " * 1_000,
        b"BT /F1 12 Tf " + b"72 700 Td (a) Tj " * 2_000 + b"ET",
    ],
)
def test_odd_content_streams(content: bytes) -> None:
    found, _ = parse("pdf", raw_pdf(content), 100_000)
    if "reason" in found:
        assert found["reason"] in REASONS
    else:
        sound(found)
