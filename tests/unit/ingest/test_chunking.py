"""Passages are slices of the text within one section, of the size asked for, and lose nothing."""

import random
import time
from collections.abc import Sequence

import pytest

from core.types import Document, Page, Passage
from index.fakes import FakeEmbedder
from ingest.chunking import chunker_version, cut
from ingest.loaders.markdown import from_markdown
from ingest.loaders.parsed import Block, Parsed, whole

COUNT = FakeEmbedder().count_tokens
SENTENCE = "本公司員工請假應於三日前提出申請，經主管核准後生效。"


def document(parsed: Parsed) -> Document:
    return Document("d" * 16, "a.md", parsed.title, "text/markdown", parsed.text, parsed.pages, "a1b2c3d4" + "0" * 56)


def passages(source: str | Parsed, most: int = 60) -> list[Passage]:
    parsed = from_markdown(source) if isinstance(source, str) else source
    made = cut(document(parsed), parsed, COUNT, most)
    check(parsed, made, most)
    return made


def check(parsed: Parsed, made: Sequence[Passage], most: int) -> None:
    """What holds for every passage of every document."""
    assert [p.ordinal for p in made] == list(range(len(made)))
    assert all(p.text == parsed.text[p.start : p.end] == p.text.rstrip() and p.text.strip() for p in made)
    assert all(a.end <= b.start for a, b in zip(made, made[1:], strict=False))
    assert all(0 < p.token_count <= most or len(p.text) == 1 for p in made)
    covered = {offset for p in made for offset in range(p.start, p.end)}
    for block in parsed.blocks:
        if block.kind != "heading":
            assert all(n in covered or parsed.text[n].isspace() for n in range(block.start, block.end))
        else:
            label = block.label or parsed.text[block.start : block.end]
            assert label == parsed.title or block.start in covered or any(label in p.headings for p in made)


def test_a_short_section_is_one_passage_with_its_path() -> None:
    made = passages("# 手冊\n\n## 請假\n\n第一段。\n\n- 項目\n\n## 薪資\n\n第二段。")
    assert [(p.headings, p.text) for p in made] == [(("手冊", "請假"), "第一段。\n\n- 項目"), (("手冊", "薪資"), "第二段。")]
    assert made[0].id == f"{'d' * 16}-a1b2c3d4-0"
    assert made[0].document_id == "d" * 16


def test_no_passage_crosses_a_heading() -> None:
    made = passages("\n\n".join(f"{'#' * (1 + n % 3)} H{n}\n\n{SENTENCE}" for n in range(20)))
    assert len(made) == 20
    assert all(p.text == SENTENCE for p in made)


def test_a_heading_without_text_is_not_lost() -> None:
    made = passages("# Top\n\n## Empty one\n\n## Full\n\nText.\n\n### Last")
    assert [(p.headings, p.text) for p in made] == [(("Top",), "## Empty one"), (("Top", "Full"), "Text."), (("Top", "Full"), "### Last")]


def test_the_title_alone_is_no_passage_unless_there_is_nothing_else() -> None:
    assert [p.text for p in passages("# Title\n\n# First\n\nText.")] == ["Text."]
    assert [p.text for p in passages("# Title")] == ["# Title"]


def test_the_header_of_a_table_does_not_stand_alone() -> None:
    made = passages(SENTENCE + "\n\n| 名稱 | 價格 |\n|---|---|\n" + "\n".join(f"| 項目{n} | {n * 100} 元 |" for n in range(6)), most=40)
    assert all("項目" in p.text for p in made if "名稱" in p.text)


def test_levels_that_jump_and_come_back() -> None:
    made = passages("### Deep\n\na\n\n# Top\n\nb\n\n#### Deeper\n\nc\n\n## Second\n\nd")
    assert [p.headings for p in made] == [("Deep",), ("Top",), ("Top", "Deeper"), ("Top", "Second")]


def test_long_text_is_cut_at_sentences_into_passages_of_like_size() -> None:
    made = passages(SENTENCE * 10)
    assert all(p.text.startswith("本公司") and p.text.endswith("。") for p in made)
    sizes = [p.token_count for p in made]
    assert max(sizes) - min(sizes) <= COUNT([SENTENCE])[0]


def test_the_end_of_a_paragraph_is_the_better_place_to_cut() -> None:
    made = passages("\n\n".join([SENTENCE * 2] * 3), most=110)
    assert sorted(p.text for p in made) == sorted([SENTENCE * 2, f"{SENTENCE * 2}\n\n{SENTENCE * 2}"])


def test_small_paragraphs_of_a_section_are_taken_together() -> None:
    made = passages("\n\n".join(["短句。"] * 12))
    assert len(made) == 1


def test_a_table_over_several_passages_repeats_its_header_in_the_headings() -> None:
    rows = "\n".join(f"| 項目{n} | {n * 100} 元 |" for n in range(30))
    made = passages(f"# 價目\n\n| 名稱 | 價格 |\n|---|---|\n{rows}", most=50)
    assert len(made) > 3
    assert made[0].headings == ("價目",)
    assert made[0].text.startswith("| 名稱 | 價格 |")
    assert all(p.headings == ("價目", "| 名稱 | 價格 |") for p in made[1:])
    assert all(p.text.startswith("| 項目") and p.text.endswith("|") for p in made[1:])


def test_text_after_a_table_has_no_header_of_it() -> None:
    rows = "\n".join(f"| 項目{n} | {n} |" for n in range(10))
    made = passages(f"| 名稱 | 價格 |\n|---|---|\n{rows}\n\n" + SENTENCE * 4, most=40)
    assert made[-1].headings == ()


def test_code_is_cut_at_lines() -> None:
    code = "\n".join(f"    value_{n} = compute({n})" for n in range(40))
    made = passages(f"```python\n{code}\n```", most=40)
    assert all(line.strip().startswith(("value", "```")) for p in made for line in p.text.split("\n"))
    assert made[1].text.startswith("    value"), "indentation belongs to code"


def test_an_endless_sentence_is_cut_at_commas_then_anywhere() -> None:
    made = passages("甲乙丙丁戊己庚辛，" * 60, most=50)
    assert all(p.text.endswith("，") for p in made)
    assert all(len(p.text) >= 10 for p in passages("字" * 1000, most=50))


def test_a_cut_does_not_part_a_letter_from_its_accents() -> None:
    made = passages("é" * 400, most=100)
    assert all(not p.text.startswith("\u0301") for p in made)


def test_a_character_of_many_tokens_stands_alone() -> None:
    parsed = whole("abcd", "", [Block("paragraph", 0, 4)])
    made = cut(document(parsed), parsed, lambda texts: [10 * len(t) for t in texts], 8)
    assert [p.text for p in made] == ["a", "b", "c", "d"]


def test_long_headings_do_not_push_the_text_out_of_the_embedder() -> None:
    parsed = from_markdown("\n\n".join(f"{'#' * n} {str(n) * 250}" for n in range(1, 7)) + "\n\ntext")
    made = cut(document(parsed), parsed, COUNT, 60)
    assert sum(map(len, made[-1].headings)) <= 400
    assert made[-1].headings[-1].startswith("6")


def test_pages_of_a_passage() -> None:
    text = "First page. Second page. Third page."
    pages = (Page(1, 0, 11), Page(2, 11, 11), Page(3, 12, 24), Page(4, 25, 36))
    parsed = Parsed(text, "", pages, (Block("paragraph", 0, len(text)),))
    assert [(p.page_first, p.page_last) for p in passages(parsed)] == [(1, 4)]
    assert [(p.page_first, p.page_last) for p in passages(parsed, most=4)] == [(1, 1), (3, 3), (4, 4)]


def test_tokens_are_counted_in_few_calls() -> None:
    calls: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return COUNT(texts)

    parsed = from_markdown("\n\n".join([SENTENCE * 5] * 50))
    cut(document(parsed), parsed, count, 60)
    assert len(calls) <= 3


def test_an_empty_document_has_no_passages() -> None:
    parsed = whole("", "", [])
    assert cut(document(parsed), parsed, COUNT, 60) == []


def test_any_text_is_cut_soundly() -> None:
    rng = random.Random(11)
    pieces = [
        "# A\n\n",
        "## B\n",
        "文字。",
        "word ",
        "\n\n",
        "- item\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "```\nx = 1\n\n",
        "e\u0301",
        "🦆",
        "，",
        "x" * 90,
    ]
    for _ in range(150):
        source = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 60)))
        if source.strip("\n# `"):
            passages(source, most=rng.choice([5, 17, 60]))


@pytest.mark.parametrize("unit", ["a", "字", "。", " a", "a.\n\n", "- a\n", "| a |\n", "\n", "# a\n"])
def test_time_grows_with_the_length_only(unit: str) -> None:
    def seconds(length: int) -> float:
        text = "x" + unit * (length // len(unit))
        parsed = whole(text, "", [Block("paragraph", 0, len(text))])
        started = time.process_time()
        cut(document(parsed), parsed, COUNT, 60)
        return time.process_time() - started

    assert seconds(50_000) < 25 * seconds(5_000) + 0.5


def test_the_version_names_the_size() -> None:
    assert chunker_version(224) != chunker_version(128)
