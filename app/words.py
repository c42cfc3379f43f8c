"""Text as comparable words: terms and figures of folded text. Pure; used for matching only, never for what is shown.

Folding is the index's own (NFKC, case, 繁 to 簡), so that answers and hits agree on what is the same word. A folded text may
differ in length from its source, so offsets are never taken from it. The terms are not the index's: a statement is compared by
what it says, so words that ask or join are left out here.
"""

import functools
import re
from dataclasses import dataclass

import opencc

from index.tokens import fold

__all__ = ["HAN", "Figures", "all_numbers", "converter", "figures", "fold", "is_han", "terms"]

HAN = r"㐀-䶿一-鿿豈-﫿"
_HAN = re.compile(f"[{HAN}]")
_RUNS = re.compile(rf"[{HAN}]+|[a-z0-9]+(?:[._/\-'][a-z0-9]+)*")
_STOP_LATIN = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can could did do does for from had has have he her his how i if in into is it its many may me"
        " much my of on or our she should so than that the their them then there these they this those to was we were what when where"
        " which who whom whose why will with would you your",
    )
)
# Folded (simplified) words that ask or join and say nothing of the subject.
_STOP_HAN = re.compile(
    "为什么|什么|怎么样|怎么|怎样|如何|为何|何时|何处|何者|何人|哪些|哪里|哪个|哪一|哪|谁|多少|几个|请问|是否|有没有|可以|因为|所以|以及|或者|但是"
    "|的|了|是|吗|呢|吧"
)
_LINK = re.compile(r"(?:https?://|www\.)[^\s)\]>」』，。；]+|!\[")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_IDENTIFIER = re.compile(r"[a-z]+[a-z0-9]*(?:[-_/.][a-z0-9]+)*")
_HAN_NUMBER = re.compile("[零〇一二两三四五六七八九十百千万亿]+")
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_ENGLISH = {
    w: str(i)
    for i, w in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"))
}


@functools.cache
def converter(name: str) -> opencc.OpenCC:
    """The OpenCC conversion `name` (`t2s`, `s2twp`, …), loaded once. Safe to call from several threads."""
    return opencc.OpenCC(name)


def terms(folded: str) -> frozenset[str]:
    """Content terms of a folded text: Latin words without their plural s, and overlapping pairs of Han characters."""
    found: set[str] = set()
    for run in _RUNS.findall(_STOP_HAN.sub(" ", folded)):
        if run[0].isascii():
            if run not in _STOP_LATIN:
                found.add(run[:-1] if len(run) > 3 and run.endswith("s") and not run.endswith("ss") else run)
        elif len(run) == 1:
            found.add(run)
        else:
            found.update(run[i : i + 2] for i in range(len(run) - 1))
    return frozenset(found)


def _han_value(run: str) -> int | None:
    """The number a run of Chinese numerals names, read by digit (一九四五) or by unit (三百二十); None where it names none."""
    if not set(run) & set("十百千万亿"):
        return int("".join(str(_DIGITS[c]) for c in run))
    total = section = digit = 0
    for c in run:
        if c in _DIGITS:
            digit = _DIGITS[c]
        elif c in _UNITS:
            section += (digit or 1) * _UNITS[c]
            digit = 0
        else:
            total = (total + section + digit or 1) * (10_000 if c == "万" else 100_000_000)
            section = digit = 0
    return total + section + digit


@dataclass(frozen=True, slots=True)
class Figures:
    """What must not be invented. `numbers` are canonical (1234.5, no leading zeros); `identifiers` mix digits and letters, or are links."""

    numbers: frozenset[str]
    identifiers: frozenset[str]

    def missing_from(self, folded: str) -> tuple[str, ...]:
        """The figures of self that the folded text does not contain, sorted."""
        there = all_numbers(folded)
        lost = {n for n in self.numbers if n not in there} | {i for i in self.identifiers if i not in folded}
        return tuple(sorted(lost))


def _canonical(number: str) -> str:
    whole, _, part = number.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + ("." + part if part else "")


def all_numbers(folded: str) -> frozenset[str]:
    """Every number a folded text names, in digits, Chinese numerals or English words up to twelve."""
    found = {_canonical(n) for n in _NUMBER.findall(folded)}
    found.update(str(value) for run in _HAN_NUMBER.findall(folded) if (value := _han_value(run)) is not None)
    found.update(c for run in _HAN_NUMBER.findall(folded) for d in run if d in _DIGITS for c in [str(_DIGITS[d])])
    found.update(_ENGLISH[w] for w in re.findall(r"[a-z]+", folded) if w in _ENGLISH)
    return frozenset(found)


def figures(folded: str) -> Figures:
    """The figures a folded statement claims. Small Chinese numerals (一個, 兩者) are words rather than figures and are left out."""
    links = _LINK.findall(folded)
    identifiers = frozenset([*(i for i in _IDENTIFIER.findall(_LINK.sub(" ", folded)) if any(c.isdigit() for c in i)), *links])
    bare = folded
    for identifier in sorted(identifiers, key=len, reverse=True):
        bare = bare.replace(identifier, " ")
    numbers = {_canonical(n) for n in _NUMBER.findall(bare)}
    for run in _HAN_NUMBER.findall(bare):
        value = _han_value(run)
        if len(run) > 1 and value is not None and value >= 10 and run not in ("千万", "万一", "百万", "十万"):
            numbers.add(str(value))
    return Figures(frozenset(numbers), identifiers)


def is_han(text: str) -> bool:
    """Is the text Chinese? True when a third of its characters or more are Han."""
    return 3 * len(_HAN.findall(text)) >= max(1, len(text.replace(" ", "")))
