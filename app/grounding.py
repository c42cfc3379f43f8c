"""Each sentence of an answer tied to the passage sentence that supports it. Done in code, so that a model cannot fake it.

A sentence is supported when enough of its words stand in one quote (a passage sentence, or two neighbours) and every number and
identifier it claims stands in a cited quote. Words are compared folded; the model's markers only help to choose between equals.
Where question, answer and passage are of different languages, words cannot agree and the embedder's cosine decides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.markers import take_markers
from app.prompts import Shown
from app.words import Figures, all_numbers, figures, fold, is_han, terms
from core.sentences import sentence_spans
from core.types import Citation, Hit, Unsupported

SUPPORTED = 0.4  # least share of a sentence's words found in its quote
NEARLY = 0.8  # a marked passage is cited when its quote reaches this share of the best one's support
WIDER = 0.15  # least gain of support that makes a quote two sentences long
SAME_MEANING = 0.80  # least cosine between languages, and the support such a quote is given
BRIEF = 4  # a statement of fewer words says nothing alone ("42."): its quote must speak of the question too
NEW_WORD = 2.0  # weight of a word that was not in the question: what the answer adds matters most
LONGEST_QUOTE = 600

Similarities = Callable[[str, Sequence[str]], list[float]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A possible quote: `text == hit.passage.text[start:end]`; `single` when it is one sentence, not two neighbours."""

    marker: int
    hit: Hit
    start: int
    end: int
    text: str
    folded: str
    words: frozenset[str]
    single: bool


@dataclass(frozen=True, slots=True)
class Grounded:
    """An answer with markers in place. `sound` is False when its core has no support: it must not be shown as an answer."""

    answer: str
    citations: tuple[Citation, ...]
    unsupported: tuple[Unsupported, ...]
    sound: bool


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What supports one sentence. `why` is empty when it is supported."""

    quotes: tuple[tuple[Candidate, float], ...]
    why: str


def candidates(shown: Sequence[Shown]) -> list[Candidate]:
    """Every sentence of every shown passage and every two neighbours, white space trimmed."""
    found: list[Candidate] = []
    for item in shown:
        text = item.hit.passage.text
        spans = [piece for s, e in sentence_spans(text) for piece in _pieces(text, s, e)]
        pairs = [(a[0], b[1]) for a, b in zip(spans, spans[1:], strict=False) if b[1] - a[0] <= LONGEST_QUOTE]
        found += [_candidate(item, start, end, True) for start, end in spans]
        found += [_candidate(item, start, end, False) for start, end in pairs]
    return found


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A span too long to quote (a table, a program) as runs of whole lines, each within the limit where its lines allow."""
    if end - start <= LONGEST_QUOTE:
        return [(start, end)]
    pieces: list[tuple[int, int]] = []
    begun = at = start
    for line in text[start:end].splitlines(keepends=True):
        if at + len(line) - begun > LONGEST_QUOTE and at > begun:
            pieces.append((begun, at))
            begun = at
        at += len(line)
    return [(s, e) for s, e in [*pieces, (begun, end)] if text[s:e].strip()]


def _candidate(item: Shown, start: int, end: int, single: bool) -> Candidate:
    raw = item.hit.passage.text[start:end]
    start += len(raw) - len(raw.lstrip())
    quote = raw.strip()
    folded = fold(quote)
    return Candidate(item.marker, item.hit, start, start + len(quote), quote, folded, terms(folded), single)


def ground(draft: str, question: str, shown: Sequence[Shown], similarities: Similarities | None = None) -> Grounded:
    """Tie a draft to the passages it was written from. `draft` must be in its final script; the answer keeps its words.

    The answer's sentence ends carry the markers of what supports them; a marker of the draft that names no shown passage stays
    and is reported. `similarities` (cosines of one text to several) is asked only where words cannot decide.
    """
    pool = candidates(shown)
    asked = fold(question)
    marked = take_markers(draft.strip(), [s.hit.passage.text for s in shown])
    numbers = {s.marker for s in shown}
    answer = ""
    citations: list[Citation] = []
    unsupported: list[Unsupported] = []
    weights: list[tuple[float, bool]] = []
    invented_figure = False
    spans = _said(marked.text)
    for (start, end), following in zip(spans, [s for s, _ in spans[1:]] + [len(marked.text)], strict=True):
        sentence = marked.text[start:end]
        given = [n for at, n in marked.markers if start < at <= following or at == start == 0]
        verdict = _judge(sentence, asked, pool, {n for n in given if n in numbers}, similarities)
        first = len(answer)
        answer += sentence
        last = len(answer)
        weights.append((float(last - first), not verdict.why))
        citations += [cite(c, c.marker, support, first, last) for c, support in verdict.quotes]
        if verdict.why:
            unsupported.append(Unsupported(first, last, verdict.why))
            invented_figure = invented_figure or bool(verdict.quotes)
        answer += _spaced(sentence, "".join(f"[{n}]" for n in dict.fromkeys(c.marker for c, _ in verdict.quotes)))
        for n in dict.fromkeys(n for n in given if n not in numbers):
            at = len(answer)
            answer += f"[{n}]"
            unsupported.append(Unsupported(at, len(answer), f"marker [{n}] names no passage that was shown"))
        answer += marked.text[end:following]
    total = sum(w for w, _ in weights)
    carried = sum(w for w, good in weights if good)
    sound = bool(citations) and total > 0 and carried >= 0.5 * total and not invented_figure
    return Grounded(answer, tuple(citations), tuple(unsupported), sound)


def _said(text: str) -> list[tuple[int, int]]:
    """Sentences of a draft; a lone closing quote or the like belongs to the sentence before it."""
    spans: list[tuple[int, int]] = []
    for start, end in sentence_spans(text):
        if spans and not any(c.isalnum() for c in text[start:end]):
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _spaced(sentence: str, marks: str) -> str:
    return f" {marks}" if marks and sentence[-1].isascii() else marks


def _judge(sentence: str, asked: str, pool: Sequence[Candidate], given: set[int], similarities: Similarities | None) -> _Verdict:
    """The quotes that support a sentence, or why none does. A sentence with a figure nobody wrote keeps its quote and gets a why."""
    folded = fold(sentence)
    old = terms(asked)
    words = terms(folded)
    if len(words) < BRIEF:
        words |= old
    ranked = sorted(((_support(words, old, c), c) for c in pool), key=lambda p: (-p[0], len(p[1].text), p[1].hit.rank))
    if not ranked:
        return _Verdict((), "no passage was shown")
    best = _choose(ranked, given)
    if best[0] < SUPPORTED:
        meant = _by_meaning(sentence, pool, similarities)
        if meant is None:
            return _Verdict((), "no shown passage says this")
        best = meant
    quotes = [(best[1], round(min(1.0, best[0]), 3))]
    missing = figures(folded).missing_from(best[1].folded)
    for figure in missing:
        if figure in quotes_text(quotes):
            continue
        other = next((c for _, c in ranked if _holds(c, figure) and len(c.words & words) > 0), None)
        if other is not None:
            quotes.append((other, round(_support(words, old, other), 3)))
        elif figure not in asked and figure not in all_numbers(asked):
            return _Verdict(tuple(quotes), f"{figure} is in no passage that was shown")
    return _Verdict(tuple(_unique(quotes)), "")


def quotes_text(quotes: Sequence[tuple[Candidate, float]]) -> frozenset[str]:
    """All numbers in some quotes, canonical."""
    return frozenset().union(*(all_numbers(c.folded) for c, _ in quotes))


def _unique(quotes: Sequence[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
    return list({(c.hit.passage.id, c.start, c.end): (c, s) for c, s in quotes}.values())


def _holds(candidate: Candidate, figure: str) -> bool:
    either = Figures(frozenset({figure}), frozenset()) if figure.replace(".", "").isdigit() else Figures(frozenset(), frozenset({figure}))
    return not either.missing_from(candidate.folded)


def _support(words: frozenset[str], old: frozenset[str], candidate: Candidate) -> float:
    """Share of the sentence's words, by weight, that stand in the candidate: 0..1."""
    weight = sum(1.0 if w in old else NEW_WORD for w in words)
    found = sum(1.0 if w in old else NEW_WORD for w in words & candidate.words)
    return found / weight if weight else 0.0


def _choose(ranked: Sequence[tuple[float, Candidate]], given: set[int]) -> tuple[float, Candidate]:
    """The best supported candidate; a passage the model marked wins near ties, and a longer quote must earn its length."""
    best = ranked[0]
    if given:
        own = next((p for p in ranked if p[1].marker in given), None)
        if own is not None and own[0] >= NEARLY * best[0]:
            best = own
    inside = [p for p in ranked if p[1].hit is best[1].hit and best[1].start <= p[1].start and p[1].end <= best[1].end]
    shorter = [p for p in inside if len(p[1].text) < len(best[1].text) and p[0] >= SUPPORTED and p[0] >= best[0] - WIDER]
    return max(shorter, key=lambda p: p[0]) if shorter else best


def _by_meaning(sentence: str, pool: Sequence[Candidate], similarities: Similarities | None) -> tuple[float, Candidate] | None:
    """The candidate nearest in meaning, for an answer in another language than its passages; None where words should have agreed."""
    han = is_han(sentence)
    foreign = [c for c in pool if is_han(c.text) != han]
    if similarities is None or not foreign:
        return None
    cosines = similarities(sentence, [c.text for c in foreign])
    cosine, at = max((value, -i) for i, value in enumerate(cosines))
    return (min(1.0, cosine), foreign[-at]) if cosine >= SAME_MEANING else None


def cite(candidate: Candidate, marker: int, support: float, first: int, last: int) -> Citation:
    """The citation of a candidate for `answer[first:last]`; offsets of the quote become the document's."""
    hit, passage = candidate.hit, candidate.hit.passage
    return Citation(
        marker=marker,
        passage_id=passage.id,
        document_id=passage.document_id,
        title=hit.title,
        source=hit.source,
        page_first=passage.page_first,
        page_last=passage.page_last,
        headings=passage.headings,
        quote=candidate.text,
        quote_start=passage.start + candidate.start,
        quote_end=passage.start + candidate.end,
        answer_start=first,
        answer_end=last,
        support=support,
    )
