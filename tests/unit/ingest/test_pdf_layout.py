"""Lines of a page become paragraphs again, in both scripts, and what repeats on every page goes."""

from collections import Counter
from dataclasses import replace

import pytest

from ingest.loaders.pdf_layout import Line, count_words, glue, joined, paragraphs, without_running_lines


def lines(*texts: str, page: int = 1, left: float = 72.0, top: float = 700.0, pitch: float = 14.0, size: float = 11.0) -> list[Line]:
    """Lines of running text one below the other, as wide as their text."""
    made = []
    for number, text in enumerate(texts):
        width = sum(11.0 if c > "\u2e80" else 5.5 for c in text)
        made.append(Line(text, page, left, left + width, top - number * pitch, size))
    return made


def texts(given: list[Line]) -> list[str]:
    words = count_words(given)
    return ["".join(piece for piece, _ in joined(paragraph, words)) for paragraph in paragraphs(given)]


def test_wrapped_english_is_joined_by_spaces_and_ends_with_its_short_line() -> None:
    given = lines(
        "The pump moves water from the lower tank to the upper one and",
        "stops when the float switch opens, which happens at a level of",
        "two metres.",
        "The second paragraph begins on a line of its own and is as wide",
        "as the first.",
    )
    assert texts(given) == [
        "The pump moves water from the lower tank to the upper one and stops when the float switch opens,"
        " which happens at a level of two metres.",
        "The second paragraph begins on a line of its own and is as wide as the first.",
    ]


def test_wrapped_chinese_is_joined_without_spaces() -> None:
    given = lines(
        "本公司員工請假應於三日前以書面提出申請並經主管核准後方得休假",
        "遇有急病或緊急事故時得於事後補辦請假手續其期限為三日內併附證",
        "明。",
    )
    assert texts(given) == [
        "本公司員工請假應於三日前以書面提出申請並經主管核准後方得休假遇有急病或緊急事故時得於事後補辦請假手續其期限為三日內併附證明。"
    ]


def test_chinese_with_words_of_english_keeps_their_spaces() -> None:
    given = lines(
        "本系統以 vLLM 伺服器產生回答並以引文證明每一個句子的來源頁碼 OpenAI",
        "相容介面也能使用所以任何聊天程式都能連上本系統並得到附引文的回答",
    )
    assert texts(given)[0].startswith("本系統以 vLLM 伺服器產生回答並以引文證明每一個句子的來源頁碼 OpenAI 相容介面")


def test_a_wide_gap_and_another_size_begin_a_block() -> None:
    given = [
        *lines("Large title", size=18, top=720),
        *lines("The text below it is set in smaller letters and fills the lines of the", "page to the right edge as text does.", top=700),
        *lines("Farther below another block of text stands alone on this same page for", top=640),
    ]
    assert [t.split()[0] for t in texts(given)] == ["Large", "The", "Farther"]


def test_an_indented_line_after_a_full_stop_begins_a_paragraph() -> None:
    first = lines("The first paragraph fills its last line completely to the right edge.")
    second = lines("It continues with an indent as is usual in books set by printers today", left=90, top=686)
    assert len(texts([*first, *second])) == 2


def test_items_of_a_list_are_blocks_and_keep_their_wrapped_lines() -> None:
    given = lines(
        "• The first item is long and goes on over the end of its line, so", "it has two lines.", "• Second", "1. Numbered", "(2) Bracketed"
    )
    assert texts(given) == [
        "• The first item is long and goes on over the end of its line, so it has two lines.",
        "• Second",
        "1. Numbered",
        "(2) Bracketed",
    ]


def test_short_lines_keep_their_ends() -> None:
    given = lines("Name: pump", "Weight: 4 kg", "The description of this pump fills the line up to its right edge here")
    assert texts(given)[0].startswith("Name: pump\nWeight: 4 kg\n")


def test_a_paragraph_goes_on_over_the_end_of_a_page() -> None:
    first = lines("The last line of this page is full and does not end with a full stop", page=1, top=100)
    second = lines("because the sentence is finished on the page after it.", page=2)
    [paragraph] = paragraphs([*first, *second])
    assert [page for _, page in joined(paragraph, Counter())] == [1, 2]
    assert texts([*first, *second]) == [f"{first[0].text} {second[0].text}"]


def test_a_finished_page_ends_its_paragraph() -> None:
    first = lines("The last line of this page is full and it does end with a full stop.", page=1, top=100)
    assert len(texts([*first, *lines("The next page begins anew with something else altogether today", page=2)])) == 2


def test_the_second_column_follows_the_first() -> None:
    left = lines("The left column is full to its edge and its sentence", "goes on at the top of the right column without any", top=200)
    right = lines("full stop before. Here it ends.", left=320, top=700)
    assert texts([*left, *right]) == [f"{left[0].text} {left[1].text} {right[0].text}"]


def test_lines_without_positions_are_joined_by_their_width() -> None:
    given = [
        Line(text, 1, 0.0, float(len(text)))
        for text in ("A line that is as long as the lines of this text are", "and one that follows it.", "Short")
    ]
    assert texts(given) == ["A line that is as long as the lines of this text are and one that follows it.", "Short"]


@pytest.mark.parametrize(
    ("before", "after", "cut", "between"),
    [
        ("adip", "iscing", True, ""),
        ("self", "locking", True, "-"),
        ("state-of", "the-art", True, ""),
        ("GPT", "Based", True, "-"),
        ("page 3", "based", True, "-"),
        ("two", "words", False, " "),
        ("well-", "known", False, ""),
        ("中文", "中文", False, ""),
        ("中文", "word", False, " "),
        ("word", "中文", False, " "),
        ("句號。", "Word", False, ""),
        ("（", "Word", False, ""),
    ],
)
def test_what_stands_between_two_lines(before: str, after: str, cut: bool, between: str) -> None:
    assert glue(before, after, cut, Counter()) == between


def test_a_hyphen_stays_where_the_document_writes_it_elsewhere() -> None:
    words = count_words([Line("a fine-tuned model and a finetuned one, fine-tuned again", 1)])
    assert glue("fine", "tuned", True, words) == "-"
    assert glue("mod", "el", True, words) == ""


# ---- headers, footers, page numbers


def page(number: int, *body: str, header: str = "", footer: str = "") -> list[Line]:
    made = lines(header, page=number, top=790) if header else []
    made += lines(*body, page=number)
    return made + (lines(footer, page=number, top=30) if footer else [])


BODY = (
    "Text of page {} that differs",
    "from every other page {} in its words",
    "and goes on for some lines",
    "more until {} it ends.",
    "The end {}.",
)


def body(number: int) -> list[str]:
    return [line.format("abcdefgh"[number]) for line in BODY]


def test_headers_footers_and_page_numbers_go() -> None:
    pages = [page(n, *body(n), header="Annual report 2026", footer=f"- {n} -") for n in range(1, 6)]
    kept = without_running_lines(pages)
    assert [[line.text for line in lines] for lines in kept] == [body(n) for n in range(1, 6)]


def test_a_header_with_the_page_number_in_it_goes() -> None:
    pages = [page(n, *body(n), header=f"Manual, page {n} of 5") for n in range(1, 6)]
    assert all("Manual" not in line.text for lines in without_running_lines(pages) for line in lines)


def test_numbers_that_begin_elsewhere_and_printed_labels_go() -> None:
    pages = [page(n, *body(n), footer=str(n + 40)) for n in range(1, 6)]
    assert all(len(lines) == len(BODY) for lines in without_running_lines(pages))
    roman = [page(n, *body(n), footer=label) for n, label in enumerate(["i", "ii"], 1)]
    assert all(len(lines) == len(BODY) for lines in without_running_lines(roman, ["i", "ii"]))


def test_text_that_comes_back_but_stands_in_the_text_stays() -> None:
    pages = [page(n, "This clause carries no legal weight.", *body(n), "This clause carries no legal weight.") for n in range(1, 6)]
    assert without_running_lines(pages) == pages


def test_a_year_or_a_figure_at_the_edge_stays() -> None:
    pages = [page(1, *body(1), footer="2026"), page(2, *body(2), footer="17"), page(3, *body(3), footer="250")]
    assert without_running_lines(pages) == pages


def test_pages_of_the_same_words_keep_them() -> None:
    pages = [lines("The same on every page", page=n) for n in range(1, 6)]
    assert without_running_lines(pages) == pages


def test_a_page_with_nothing_but_its_number_is_empty() -> None:
    pages = [page(1, *body(1)), lines("2", page=2), page(3, *body(3))]
    assert without_running_lines(pages)[1] == []


# ---- bold titles


def bold(text: str, **place: float) -> Line:
    [line] = lines(text, **place)  # type: ignore[arg-type]
    return replace(line, bold=True)


def test_a_bold_line_stands_alone() -> None:
    given = [
        *lines("The text before it ends in a short line that tells it from the next", "one.", top=700),
        bold("Safety valves", top=672),
        *lines("The text after it begins in the very next line of the page, as it does", "in many reports.", top=658),
    ]
    groups = paragraphs(given)
    assert [p.is_bold_title for p in groups] == [False, True, False]
    assert texts(given)[1] == "Safety valves"


def test_a_line_that_happens_to_be_bold_inside_a_sentence_is_no_title() -> None:
    given = [
        *lines("The text before it goes on without a full stop into a line of the text", top=700),
        bold("that an author has set in bold letters from its beginning to its very end", top=686),
        *lines("and then it goes on as if nothing had happened at all to its letters.", top=672),
    ]
    assert len(paragraphs(given)) == 1


@pytest.mark.parametrize("text", ["Table 3 Prices of pumps", "圖 2 流程", "Stop the pump.", "12.5", "Danger,", "x" * 130])
def test_captions_sentences_and_figures_in_bold_are_no_titles(text: str) -> None:
    assert not paragraphs([bold(text)])[0].is_bold_title


@pytest.mark.parametrize("text", ["Safety valves", "3.1 安全閥", "Why does it leak?", "第三章 維修"])
def test_titles_in_bold(text: str) -> None:
    assert paragraphs([bold(text)])[0].is_bold_title
