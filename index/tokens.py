"""Text to terms, for matching only: what is shown and quoted is always the original.

fold: NFKC (full-width to plain), lower case, 繁 to 簡 by OpenCC. Han runs give their bigrams and the dictionary words of other lengths;
Latin words lose a plural; identifiers such as `PPR-9087`, `§38-1`, `第 38 條`, `1.5e-4` are kept whole and in parts.
"""

import re
import threading
import unicodedata
from functools import lru_cache

import opencc
import rjieba

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_ARTICLE = re.compile(rf"第\s*([0-9]+(?:-[0-9]+)?|[{''.join(_DIGITS)}{''.join(_UNITS)}]+)\s*([条章节项款目页编篇课])(?:\s*之\s*([0-9]+))?")
_PIECES = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    r"|(?P<number>[0-9]+(?:[.,][0-9]+)*e[+-]?[0-9]+)"
    r"|(?P<word>[§#]?[^\W_]+(?:[-./_:'’+@][^\W_]+)*[+#%]*|[§#][^\W_]+)".replace(r"[^\W_]", rf"[^\W_{_HAN}]")
)
_PARTS = re.compile(r"[0-9]+|[^\W\d_]+")
_MARKS = re.compile(r"[§#%+]")
_CAPITALS = re.compile(r"\b[A-Z]{2,}\b")
# Words that only make a sentence a question, or hold it together. A term is weighed by its rarity, and among passages of another language
# they would be the rarest of all. Left out of questions only: a passage keeps every word.
_FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been but by can could did do does doe for from had has have how i if in into is it its many may"
        " me much my of on or should so such than that the their them then there these they this those to was we were what when where which"
        " who whom whose why will with would you your",
    )
)
_INTERROGATIVES = re.compile(
    "什么时候|什么样|什么|为什么|为何|何时|何地|何处|如何|哪一个|哪一|哪些|哪个|哪里|哪儿|哪位|哪种|哪年|哪|多少|怎么样|怎么|怎样|是否|是不是|有没有|请问|谁|吗|呢"
)
_LONGEST_TERM = 64  # characters: one 100,000-character word must not become one term
_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _converter() -> "opencc.OpenCC":
    return opencc.OpenCC("t2s")


def fold(text: str) -> str:
    """`text` in the form in which spellings of the same thing are equal: NFKC, lower case, simplified."""
    plain = unicodedata.normalize("NFKC", text).lower()
    if not plain or plain.isascii():
        return plain
    with _LOCK:  # the converter is shared, and its thread-safety is not promised
        return str(_converter().convert(plain))


def terms(text: str) -> list[str]:
    """Terms of a passage, in no particular order, repeats kept (they are the term frequency)."""
    return _terms(fold(text))


def question_terms(text: str) -> list[str]:
    """Terms of a question without its function words; one written in capitals is a name and stays ("WHO", "IT")."""
    folded = _INTERROGATIVES.sub(" ", fold(text))
    names = {name.lower() for name in _CAPITALS.findall(unicodedata.normalize("NFKC", text))} if not text.isupper() else set()
    return [term for term in _terms(folded) if term not in _FUNCTION_WORDS or term in names]


def _terms(folded: str) -> list[str]:
    found = [term for match in _ARTICLE.finditer(folded) for term in _article_terms(match)]
    for match in _PIECES.finditer(_ARTICLE.sub(" ", folded)):
        piece = match.group()
        if match.lastgroup == "han":
            found += _han_terms(piece)
        elif match.lastgroup == "number":
            found += [piece, piece.split("e", maxsplit=1)[0]]
        else:
            found += _word_terms(piece)
    return [term[:_LONGEST_TERM] for term in found if term]


def _han_terms(run: str) -> list[str]:
    """Bigrams, and words of one character or of three and more; a run of one character is itself."""
    if len(run) == 1:
        return [run]
    bigrams = [run[i : i + 2] for i in range(len(run) - 1)]
    words = [word for word in rjieba.cut(run) if len(word) != 1]
    return bigrams + words


def _word_terms(word: str) -> list[str]:
    word = word.replace("’", "'").removesuffix("'s")
    if word.isalpha():
        return [_stem(word)]
    parts = [_stem(part) for part in _PARTS.findall(word)]
    bare = _MARKS.sub("", word)
    whole = dict.fromkeys((word, bare))
    return [*(w for w in whole if [w] != parts), *parts]


def _stem(word: str) -> str:
    """An English plural and its singular give the same term; other endings are left alone."""
    if len(word) < 4 or not word.isascii() or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1]


def _article_terms(match: re.Match[str]) -> list[str]:
    """`第 38 条`, `第三十八条` and `第38条之1` as the whole and its number, however it is written."""
    number, unit, sub = match.groups()
    value = number if number[0].isdigit() else str(_number(number))
    whole = f"第{value}{unit}"
    return [whole, value, f"{whole}之{sub}"] if sub else [whole, value]


def _number(numeral: str) -> int:
    """Value of a Chinese numeral below 10,000: 三十八 is 38, 一〇五 is 105."""
    if not any(c in _UNITS for c in numeral):
        return int("".join(str(_DIGITS[c]) for c in numeral))
    total, digit = 0, 0
    for c in numeral:
        if c in _DIGITS:
            digit = _DIGITS[c]
        else:
            total, digit = total + (digit or 1) * _UNITS[c], 0
    return total + digit
