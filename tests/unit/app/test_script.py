"""A Traditional question never gets Simplified, and copied words are not exchanged."""

import pytest

from app.script import in_script, known_characters, language_of


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("網球比賽有幾盤？", "zh-Hant"),
        ("网球比赛有几盘？", "zh-Hans"),
        ("人工智能", "zh-Hant"),
        ("台北在哪里", "zh-Hant"),
        ("How many sets?", "en"),
        ("vLLM 的 OpenAI API 怎麼用？", "zh-Hant"),
        ("What does 學習率 mean in the training guide of this project?", "en"),
        ("?", "en"),
    ],
)
def test_the_language_of_a_question(question: str, language: str) -> None:
    assert language_of(question) == language


@pytest.mark.parametrize(
    ("draft", "answer"),
    [
        ("软件通过网络发送信息。", "軟體通過網路傳送資訊。"),
        ("學习率是0.001。", "學習率是0.001。"),
        ("文件裡的程序。", "文件裡的程序。"),  # Traditional already: words copied from a document stay
    ],
)
def test_traditional_stays_traditional_with_taiwan_words(draft: str, answer: str) -> None:
    assert in_script(draft, "zh-Hant") == answer


def test_characters_of_traditional_evidence_are_left_alone() -> None:
    assert in_script("台灣", "zh-Hant", known_characters("?", ["台灣的歷史與傳統"])) == "台灣"
    assert in_script("台灣", "zh-Hant") == "臺灣"
    assert in_script("国家", "zh-Hant", known_characters("哪國？", ["国家的历史与传统"])) == "國家"


def test_other_questions() -> None:
    assert in_script("網路", "zh-Hans") == "网路"
    assert in_script("The 網路", "en") == "The 網路"
