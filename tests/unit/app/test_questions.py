"""A follow-up takes the earlier question along; a change of subject does not."""

import pytest

from app.questions import LONGEST_QUESTION, standalone_question
from core.types import Turn

HISTORY = (Turn("What is the pump PPR-9087 for?", "Water."),)
CHINESE = (Turn("燃燒器的點火溫度是多少？", "870度。"),)


@pytest.mark.parametrize("question", ["How often must it be serviced?", "And the pressure?", "Why?"])
def test_a_follow_up_takes_the_earlier_question_along(question: str) -> None:
    standalone, earlier = standalone_question(question, HISTORY)
    assert "PPR-9087" in standalone
    assert standalone.endswith(question)
    assert earlier == HISTORY[-1]


@pytest.mark.parametrize("question", ["它多久要保養一次？", "那壓力呢？", "為什麼？"])
def test_a_chinese_follow_up(question: str) -> None:
    assert "燃燒器" in standalone_question(question, CHINESE)[0]


@pytest.mark.parametrize("question", ["Who signs the delivery notes of the Taipei warehouse?", "網球每局的記分方法是什麼樣子的規則？"])
def test_a_change_of_subject_is_left_alone(question: str) -> None:
    assert standalone_question(question, HISTORY) == (question, None)


def test_without_history_the_question_is_its_own() -> None:
    assert standalone_question("Why?", ()) == ("Why?", None)


def test_two_long_questions_stay_within_the_longest() -> None:
    standalone, _ = standalone_question("Is it so? " + "x" * 140, (Turn("y" * 2000, ""),))
    assert len(standalone) == LONGEST_QUESTION
