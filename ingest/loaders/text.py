"""Plain text: the encoding is found out, line ends become `\\n`, everything else stays as it is."""

import codecs
import re
from collections.abc import Iterator

from charset_normalizer import from_bytes

from core.errors import Unreadable
from ingest.loaders.parsed import Block, Parsed, one_line, whole

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What other files begin with; some of them decode as text, which nobody would want to find.
_SIGNATURES = (b"%PDF-", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b", b"\x7fELF", b"{\\rtf")
_SAMPLE = 200_000  # bytes looked at when guessing

# The Chinese encodings decode each other's bytes into rare characters; real text is full of these. Both scripts.
_COMMON = frozenset(
    "的一是不了人我在有他這这個个們们中來来上大為为和國国地到以說说時时要就出會会可也你對对生能而子那得於于下自之年過过發发後后作里用道行所然家種种事"
    "成方多經经麼么去法學学如都同現现當当沒没動动面起看定天分還还進进好小部其些主樣样理心本前開开但因只從从想實实日軍军者意無无力它與与長长把機机十民第"
    "公此已工使情明性知全三又關关點点正業业外將将兩两高間间由問问很最重並并物手應应戰战向頭头文體体政美相見见被利什二等產产或新己制身果加西斯月話话合"
    "回特代內内信表化老給给世位次度門门任常先海通教兒儿原東东聲声提立及比員员解水名真論论處处走義义各入幾几口認认條条平系氣气題题活爾尔更別别打女變变"
    "四神總总何電电數数安少報报才結结反受目太量再感建務务做接必場场件計计管期市直德資资命山金指克許许統统區区保至隊队形社便空決决治展馬马科司五基眼書书"
)
_CHAPTER = re.compile(
    r"第\s*[一二三四五六七八九十百零〇○\d]{1,6}\s*[編编篇章節节](?:\s|$).{0,40}"
    r"|(?:Chapter|Part|Appendix|CHAPTER|PART) [\dIVXLA-Z]{1,5}\b.{0,60}"
)
_PARAGRAPH_END = re.compile(r"\n[ \t\u3000]*\n\s*")


def load(data: bytes) -> Parsed:
    """Raises Unreadable: `no text` for an empty file, `damaged` for binary data under a text file's name."""
    text = decode(data)
    blocks = list(_blocks(text))
    if not blocks:
        raise Unreadable("no text", "the file holds white space only" if data else "the file is empty")
    return whole(text, "", blocks)


def decode(data: bytes, declared: str = "") -> str:
    """Bytes as text with `\\n` line ends and no byte order mark. `declared` is tried first where the file names its encoding.

    Raises Unreadable (damaged) when the bytes are not text in any encoding.
    """
    if data.startswith(_SIGNATURES):
        raise Unreadable("damaged", "the file is of another format than its name says")
    text = _decoded(data, declared)
    # A text file has hardly any control characters besides the usual white space; a renamed image or program is full of them.
    sample = text[:_SAMPLE]
    odd = sum(map(sample.count, [chr(c) for c in (*range(9), *range(14, 27), *range(28, 32), 127)]))
    if odd > 0.02 * len(sample) + 3:
        raise Unreadable("damaged", "the file holds binary data, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decoded(data: bytes, declared: str) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace")
    for encoding in ("utf-8", declared):
        text = _try(data, encoding)
        if text is not None:
            return text
    encoding = guess_encoding(data)
    return data.decode(encoding, errors="replace")


def _try(data: bytes, encoding: str) -> str | None:
    if not encoding or (encoding == "utf-8" and data[:4096].count(0) * 8 > len(data[:4096])):
        return None  # with a NUL in every other place it is UTF-16 without a mark, which may pass as UTF-8
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def guess_encoding(data: bytes) -> str:
    """Name of the most likely encoding of bytes that are not UTF-8. Never fails: the last resort decodes any bytes."""
    sample = data[:_SAMPLE]
    if sample.count(0) * 8 > len(sample):
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        return "utf-16-le" if odd > even else "utf-16-be"
    if _mostly_utf8(sample):
        return "utf-8"
    scores = {encoding: _han_score(sample, encoding) for encoding in ("big5hkscs", "gb18030")}
    best = max(scores, key=lambda encoding: scores[encoding])
    if scores[best] > 0.12:
        return best
    found = from_bytes(sample).best()
    if found is not None:
        return found.encoding
    return best if scores[best] > 0.04 else "cp1252"


def _mostly_utf8(sample: bytes) -> bool:
    """UTF-8 with a few broken bytes: a cut file, or one pasted together from two."""
    text = sample.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    beyond_ascii = sum(1 for c in text if c > "\x7f") - bad
    return beyond_ascii > 20 * bad


def _han_score(sample: bytes, encoding: str) -> float:
    """Share of the characters beyond ASCII that are among the most common Han characters, less those that do not decode."""
    text = sample.decode(encoding, errors="replace")
    beyond = [c for c in text if c > "\x7f"]
    if not beyond:
        return 0.0
    common = sum(1 for c in beyond if c in _COMMON)
    return (common - 3 * text.count("\ufffd")) / len(beyond)


def _blocks(text: str) -> Iterator[Block]:
    """Paragraphs between empty lines; a line that stands alone and reads 第三章 … or Chapter 3 … is a heading."""
    cursor = 0
    ends = [(m.start(), m.end()) for m in _PARAGRAPH_END.finditer(text)]
    for end, following in [*ends, (len(text), len(text))]:
        piece = text[cursor:end]
        stripped = piece.strip()
        if stripped:
            start = cursor + len(piece) - len(piece.lstrip())
            if len(stripped) < 80 and _CHAPTER.fullmatch(stripped):
                yield Block("heading", start, start + len(stripped), 1, one_line(stripped))
            else:
                yield Block("paragraph", start, start + len(stripped))
        cursor = following
