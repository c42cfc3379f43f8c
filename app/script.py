"""The language and script of a question, and an answer put into them. Quotes never pass through here."""

import re
from typing import Literal

from app.words import HAN, converter

Language = Literal["en", "zh-Hant", "zh-Hans"]

_HAN = re.compile(f"[{HAN}]")
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")


def _only_simplified(character: str) -> bool:
    """True for a character that Traditional text does not use (国); characters of both scripts that convert (后, 里, 台) count as well."""
    return bool(converter("s2tw").convert(character) != character and converter("t2s").convert(character) == character)


def _only_traditional(character: str) -> bool:
    return bool(converter("t2s").convert(character) != character)


def language_of(text: str) -> Language:
    """Language and script of a question. Chinese that shows no script (人工智能) counts as Traditional, the home script here."""
    han = _HAN.findall(text)
    if not han or len(_LATIN_WORD.findall(text)) > 2 * len(han):
        return "en"
    traditional = sum(map(_only_traditional, han))
    # 台 and 里 convert but are common in Traditional text too: they alone do not make a text Simplified.
    simplified = sum(1 for c in han if _only_simplified(c) and c not in "台里后只干面系余谷制准托斗折")
    return "zh-Hans" if simplified > traditional else "zh-Hant"


def in_script(text: str, language: Language, known: str = "") -> str:
    """`text` in the question's script.

    A Traditional question never gets a Simplified-only character: where the text holds one that `known` (the question and its
    Traditional evidence) does not, the text is converted with Taiwan's vocabulary; a text already Traditional stays as it is, so
    that words copied from the documents are not exchanged. A Simplified question gets Simplified. English is left alone.
    """
    if language == "zh-Hant":
        familiar = set(known)
        if any(c not in familiar and _only_simplified(c) for c in set(_HAN.findall(text))):
            return str(converter("s2twp").convert(text))
    elif language == "zh-Hans":
        return str(converter("t2s").convert(text))
    return text


def known_characters(question: str, evidence: list[str]) -> str:
    """Characters a Traditional answer may use unconverted: the question's and those of the evidence that is Traditional itself."""
    return question + "".join(text for text in evidence if language_of(text) == "zh-Hant")
