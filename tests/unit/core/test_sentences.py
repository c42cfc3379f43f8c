"""Sentences end where a reader of either script would end them, and no character is lost."""

import random
import time

import pytest

from core.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天下雨。明天呢？好！", ["今天下雨。", "明天呢？", "好！"]),
        ("甲；乙；丙。", ["甲；", "乙；", "丙。"]),
        ("他說：「好。我去。」然後走了。", ["他說：「好。", "我去。」", "然後走了。"]),
        ("「好。」，他說。後來呢？", ["「好。」，他說。", "後來呢？"]),
        ("（註：如下。）後面還有。", ["（註：如下。）", "後面還有。"]),
        ("真的嗎?是的!好", ["真的嗎?", "是的!", "好"]),
        ("什麼？！不會吧。。。真的", ["什麼？！", "不會吧。。。", "真的"]),
        ("見第 3.2 節說明。版本 2.5版。", ["見第 3.2 節說明。", "版本 2.5版。"]),
        ("**粗體句。**下一句。**又一句**。", ["**粗體句。**", "下一句。", "**又一句**。"]),
        ('他說"好。"然後走。', ['他說"好。"', "然後走。"]),
    ],
)
def test_chinese(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It grew 3.5 units. See Fig. 2 and Eq. 4. Done.", ["It grew 3.5 units.", "See Fig. 2 and Eq. 4.", "Done."]),
        ("Use a tool, e.g. Git. Smith et al. 2019 did.", ["Use a tool, e.g. Git.", "Smith et al. 2019 did."]),
        ("Dr. Smith met J. K. Rowling. She left.", ["Dr. Smith met J. K. Rowling.", "She left."]),
        ("I live in the U.S. It is big.", ["I live in the U.S.", "It is big."]),
        ("It is the U.S. economy.", ["It is the U.S. economy."]),
        ("Take No. 5 now. No. It is not.", ["Take No. 5 now.", "No.", "It is not."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ('"What?" he asked. (See this.) Next.', ['"What?" he asked.', "(See this.)", "Next."]),
        ("Wait... really? Wait... No.", ["Wait... really?", "Wait...", "No."]),
        ("Start it. vLLM answers. See https://a.b/?q=1!x now.", ["Start it.", "vLLM answers.", "See https://a.b/?q=1!x now."]),
        ("**Bold one.** Next **bold**. End", ["**Bold one.**", "Next **bold**.", "End"]),
    ],
)
def test_english(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("使用 PyTorch.接著執行 vLLM。", ["使用 PyTorch.", "接著執行 vLLM。"]),
        ("價格為 3.5 元,重量 1,200.75 公斤.下一項", ["價格為 3.5 元,重量 1,200.75 公斤.", "下一項"]),
        ("請見 https://example.org/a.b?c=d。謝謝", ["請見 https://example.org/a.b?c=d。", "謝謝"]),
        ("他等了很久……終於來了。", ["他等了很久……終於來了。"]),
        ("第一，準備；第二，執行；第三，檢查。", ["第一，準備；", "第二，執行；", "第三，檢查。"]),
        ("《論語》說：「學而時習之，不亦說乎？」這是第一句。", ["《論語》說：「學而時習之，不亦說乎？」", "這是第一句。"]),
        ("（一）總則。（二）細則。", ["（一）總則。", "（二）細則。"]),
        ("這是 `a.b()` 函式。用 **粗體！** 強調。", ["這是 `a.b()` 函式。", "用 **粗體！**", "強調。"]),
        ("溫度 20℃～25℃。濕度 50%！", ["溫度 20℃～25℃。", "濕度 50%！"]),
        ("日本語の文です。次の文です。", ["日本語の文です。", "次の文です。"]),
    ],
)
def test_mixed_and_technical_text(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "See sec. 4.2 of the report",
        "Version 2.0.1 of the tool",
        "Call foo.bar() and a.b.c",
        "the file config.yaml is read",
        "Mr. Brown and Mrs. Green",
        "vs. the others, approx. half of them",
        "It costs $4.50 or 3.80 EUR",
        "Open e.g. the file i.e. the text",
        "Prof. A. B. Clark",
        "from 9 a.m. to 5 p.m. every day",
        "1. Introduction",
        "A. Appendix",
    ],
)
def test_a_full_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert sentences(text) == [text]


def test_a_long_page_is_the_sum_of_its_paragraphs() -> None:
    paragraphs = ["# Title", "One. Two!", "第一句。第二句？", "- item one. More", "| a | b |", "Last"]
    alone = [sentence for paragraph in paragraphs for sentence in sentences(paragraph)]
    assert sentences("\n\n".join(paragraphs)) == alone


def test_structure_of_markdown_separates_sentences() -> None:
    text = "# 標題。仍是標題\n內文一。\n- 項目一。說明\n- 項目二\n1. First item. More.\n2. Second\n\n"
    text += "| a. b | c |\n|---|---|\n| d | e |\n> 引用\n"
    assert sentences(text) == [
        "# 標題。仍是標題",
        "內文一。",
        "- 項目一。",
        "說明",
        "- 項目二",
        "1. First item.",
        "More.",
        "2. Second",
        "| a. b | c |",
        "|---|---|",
        "| d | e |",
        "> 引用",
    ]


def test_code_is_kept_by_paragraph() -> None:
    text = "Run:\n```python\nx = 1. \nprint(x)\n\ny = 2\n```\nAfter it."
    assert sentences(text) == ["Run:", "```python\nx = 1. \nprint(x)", "y = 2\n```", "After it."]


def test_wrapped_lines_are_one_sentence_and_short_lines_are_not() -> None:
    wrapped = "The quick brown fox jumps over the lazy dog and\nruns away. It never came back.\n"
    assert sentences(wrapped) == ["The quick brown fox jumps over the lazy dog and\nruns away.", "It never came back."]
    assert sentences("Name: Bob\nAge: 5\nCity: Taipei") == ["Name: Bob", "Age: 5", "City: Taipei"]
    tail = "The\nquick brown fox jumps over the lazy dog and\nruns away."
    assert sentences(tail) == [tail], "a passage may begin in the middle of a wrapped line"


def test_a_blank_line_always_ends_a_sentence() -> None:
    assert sentences("no terminator here\n\n  nor here  \n \t\nend") == ["no terminator here", "nor here", "end"]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t", "。", ".", "...", "\u3000", "「」", "\ufeff"])
def test_odd_small_texts(text: str) -> None:
    assert "".join(sentences(text)) == "".join(text.split())


def test_spans_are_in_order_and_cover_every_character() -> None:
    alphabet = "ab3 .。!?？；;「」\"'*`_~|#->(（）)\n\n\t中文e.g.Fig. A1、"
    rng = random.Random(7)
    for _ in range(500):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randrange(120)))
        spans = sentence_spans(text)
        assert all(a < b for a, b in spans)
        assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))
        covered = {i for a, b in spans for i in range(a, b)}
        assert all(i in covered or c.isspace() for i, c in enumerate(text))
        assert all(text[a:b] == text[a:b].strip() for a, b in spans)


@pytest.mark.parametrize("unit", ["a", "。", "a. ", "\n", "x.*", "。*", "中", "| a", "- a\n", " ", '.b"', "\"'*_`~", "...", "1.", "U.S."])
def test_time_grows_with_the_length_only(unit: str) -> None:
    def seconds(text: str) -> float:
        started = time.process_time()
        sentence_spans(text)
        return time.process_time() - started

    small, large = unit * (10_000 // len(unit)), unit * (100_000 // len(unit))
    assert seconds(large) < 40 * seconds(small) + 0.5
