"""Where sentences begin and end, in Chinese and in English, in plain text and in Markdown.

Ingest packs passages out of these spans and grounding quotes them, so both must see the same borders. Pure, linear in the
length of the text. When in doubt two sentences stay together: a quote that is a little long is better than one cut in half.
"""

import re

_WIDE_END = "。！？；｡"
_CLOSERS = "」』”’）】》〉］｝〕)]}"
_PAIRED = "\"'*_`~"  # the same sign opens and closes: which one it is depends on how many went before
_CONTINUES = "，、,;；：:。．）)」』"  # after these a closed quotation goes on: 「好。」，他說

# A terminator run, whatever closes after it, and whether white space or the end follows.
_END = re.compile(rf"(?P<end>[{_WIDE_END}!?.]+)(?P<close>[{re.escape(_CLOSERS + _PAIRED)}]*)(?P<space>\s*)")
_HAN = re.compile(r"[㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff぀-ヿ가-힣]")
_WIDE = re.compile("[⺀-〿぀-鿿가-힣豈-﫿＀-｠\U00020000-\U0003ffff]")
_WORD_BEFORE = re.compile(r"[A-Za-z.]+\Z")
_MIXED_CASE = re.compile(r"[a-z]+[A-Z0-9]")  # vLLM, iPhone: a sentence may begin with these

_LIST_ITEM = re.compile(
    r"\s*(?:[-*+•·‧○●◦▪■□◆–—]\s|(?:\d{1,3}|[A-Za-z])[.)]\s|\d{1,3}[、．]|\d{1,3}\.(?=[㐀-鿿])"
    r"|[（(](?:\d{1,3}|[一二三四五六七八九十]{1,3}|[a-z])[）)]|[一二三四五六七八九十]{1,3}[、．]|[①-⑳❶-❿])"
)
_HEADING = re.compile(r" {0,3}#{1,6}(?:\s|$)")
_RULE = re.compile(r"\s*(?:={3,}|-{3,}|\*{3,}|_{3,})\s*\Z")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_ENUMERATOR = re.compile(r"\s*(?:[-*+•>#]+\s+)*(?:第\s*)?\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})\Z")

# A full stop after these does not end a sentence; after the soft ones it does when a capital or a Han character follows.
_NEVER = re.compile(
    r"(?:e\.g|i\.e|eg|ie|figs?|eqs?|secs?|tab|ch|chap|vol|pp|cf|dr|mr|mrs|ms|prof|st|vs|viz|resp|approx|refs?|art|eds?|gen|col|lt|sgt)\Z"
)
_SOFT = re.compile(r"(?:etc|al|inc|ltd|co|corp|jr|sr|dept|u\.s|u\.k|a\.m|p\.m|ph\.d|b\.c|a\.d|est)\Z")
_BEFORE_NUMBER = re.compile(r"(?:nos?|p|para|pt|ver|v|nr)\Z")

_NARROW = 36  # columns; nobody wraps running text at less, so a shorter line ended on purpose
_WINDOW = 400  # characters looked back at most, which keeps every step constant


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the sentences of `text`, in order, without white space around them.

    Every character that is not white space lies in exactly one span. A heading, a list item, a table row and a fenced code
    paragraph are each kept apart from their neighbours; closing quotes and brackets stay with the sentence they close.
    """
    spans: list[tuple[int, int]] = []
    for start, end, prose in _segments(text):
        cursor = start
        if prose:
            for border in _borders(text, start, end):
                _add(spans, text, cursor, border)
                cursor = border
        _add(spans, text, cursor, end)
    return spans


def _add(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        first = start + len(piece) - len(piece.lstrip())
        spans.append((first, first + len(stripped)))


def _segments(text: str) -> list[tuple[int, int, bool]]:
    """Runs of lines that belong together, as (start, end, prose). Prose is split further at terminators; the rest is not."""
    segments: list[tuple[int, int, bool]] = []
    begun = 0  # start of the segment that is open
    offset = 0
    kind = ""
    previous = ""
    fenced = False
    lines = text.split("\n")
    for number, line in enumerate(lines):
        was, kind = kind, _kind(line, fenced)
        if number and _breaks(previous, was, line, kind, first=number == 1):
            segments.append((begun, offset, was in ("prose", "item", "quote")))
            begun = offset
        if kind == "fence":
            fenced = not fenced
        previous = line
        offset += len(line) + 1
    segments.append((begun, len(text), kind in ("prose", "item", "quote")))
    return segments


def _kind(line: str, fenced: bool) -> str:
    if _FENCE.match(line):
        return "fence"
    if not line or line.isspace():
        return "blank"
    if fenced:
        return "code"
    if line.lstrip()[0] == "|":
        return "row"
    if _HEADING.match(line) or _RULE.match(line):
        return "heading"
    if line.lstrip()[0] == ">":
        return "quote"
    return "item" if _LIST_ITEM.match(line) else "prose"


def _breaks(previous: str, was: str, line: str, kind: str, *, first: bool) -> bool:
    """Does the line end between `previous` and `line` end a sentence?"""
    if "blank" in (was, kind):
        return True
    if was in ("code", "fence") and kind in ("code", "fence"):
        return False
    if kind != "prose" and not (kind == was == "quote"):
        return True
    if was not in ("prose", "item", "quote"):
        return True
    if line.lstrip()[0].islower() or _columns(previous) >= _NARROW:
        return False
    # The first line may be the tail of a line whose beginning is outside: then what follows is wrapped text too.
    return not (first and _columns(line) >= _NARROW)


def _columns(line: str) -> int:
    stripped = line.strip()
    return len(stripped) if stripped.isascii() else len(stripped) + len(_WIDE.findall(stripped[: _NARROW * 2]))


def _borders(text: str, start: int, end: int) -> list[int]:
    """Offsets inside text[start:end] after which a new sentence begins."""
    borders: list[int] = []
    cursor = start
    for found in _END.finditer(text, start, end):
        border = _border(text, found, cursor, end)
        if border is not None:
            borders.append(border)
            cursor = border
    return borders


def _border(text: str, found: re.Match[str], cursor: int, end: int) -> int | None:
    wide = any(mark in _WIDE_END for mark in found["end"])
    after = found.end("close")
    at_space = bool(found["space"]) or found.end() >= end
    following = text[found.end() : found.end() + 1] if found.end() < end else ""
    if not at_space:
        after = _closing(text, found, cursor)
        following = text[after]
    if following and following in _CONTINUES:
        return None
    if wide:
        return after
    if not at_space and not _ends_inside_line(text, found, following):
        return None
    if set(found["end"]) == {"."} and not _full_stop_ends(text, found, cursor, following):
        return None
    if following.islower() and "\n" not in found["space"] and not _MIXED_CASE.match(text, found.end()):
        return None
    return after


def _closing(text: str, found: re.Match[str], cursor: int) -> int:
    """End of the closing signs when no white space follows them: a sign that is opened by now closes, a fresh one opens."""
    at = found.start("close")
    low = max(cursor, found.start() - _WINDOW)
    while at < found.end("close"):
        sign = text[at]
        if sign in _PAIRED and text.count(sign, low, at) % 2 == 0:
            run = len(text[at : found.end("close")]) - len(text[at : found.end("close")].lstrip(sign))
            # `**` comes in twos, so an open bold also has an even count: look at the runs instead.
            if len(re.findall(re.escape(sign) + "+", text[low:at])) % 2 == 0:
                break
            at += run
        else:
            at += 1
    return at


def _ends_inside_line(text: str, found: re.Match[str], following: str) -> bool:
    """`!`, `?` or `.` with no white space after it ends a sentence only between Han text: 好嗎?好。"""
    before = text[found.start() - 1 : found.start()]
    return bool(_HAN.match(following)) and bool(_HAN.match(before) or (before.isalpha() and before.isascii()))


def _full_stop_ends(text: str, found: re.Match[str], cursor: int, following: str) -> bool:
    if len(found["end"]) > 1 or not following:
        return True
    low = max(cursor, found.start() - _WINDOW)
    if _ENUMERATOR.match(text[low : found.start()]) and low == cursor:
        return False
    match = _WORD_BEFORE.search(text[max(low, found.start() - 24) : found.start()])
    if match is None:
        return True
    word = match[0].lstrip(".").casefold()
    if _NEVER.match(word) or (len(word) == 1 and match[0].isupper()):
        return False
    if _BEFORE_NUMBER.match(word):
        return not following.isdigit()
    if _SOFT.match(word):
        return following.isupper() or bool(_HAN.match(following))
    return True
