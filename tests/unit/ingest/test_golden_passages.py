"""What becomes of one small document of each kind, passage by passage. Read the difference by eye before changing what is expected."""

import pytest

from core.types import Document, Page
from index.fakes import FakeEmbedder
from ingest.chunking import cut
from ingest.loaders.parsed import Block, Parsed
from ingest.parser import parse
from tests.unit.ingest.samples import docx, paragraph, pdf, table

Golden = list[tuple[int, int, tuple[str, ...], str]]  # first page, last page, headings, text


def passages(name: str, data: bytes, most: int) -> Golden:
    found, _ = parse(name, data, 100_000)
    pages, blocks = tuple(Page(*p) for p in found["pages"]), tuple(Block(*b) for b in found["blocks"])
    parsed = Parsed(found["text"], found["title"], pages, blocks, found["metadata"])
    document = Document("0" * 16, "x", parsed.title, "", parsed.text, parsed.pages, "0" * 64)
    return [(p.page_first, p.page_last, p.headings, p.text) for p in cut(document, parsed, FakeEmbedder().count_tokens, most)]


PDF_PAGES = [
    "# Pump manual\nThis manual tells how the pump is installed, started and looked after."
    " Read it before you begin, and keep it near the pump.\n# Safety\nOnly trained staff may open the housing."
    " Switch the current off first; the motor can start by itself. The housing gets hot: wait for ten minutes.",
    "# Start\n1. Open the inlet valve.\n2. Fill the housing with water.\n3. Switch the pump on and wait until the gauge shows two bar."
    " If it does not within a minute, switch off and call the service, because the pump must not run dry at any time under",
    "any circumstances, not even for a test.\n# Service\nThe seal PPR-9087 is changed every 8,000 hours.",
]
PDF_PASSAGES: Golden = [
    (
        1,
        1,
        ("Pump manual",),
        "This manual tells how the pump is installed, started and looked after. Read it before you begin, and keep it near the pump.",
    ),
    (
        1,
        1,
        ("Safety",),
        "Only trained staff may open the housing. Switch the current off first; the motor can start by itself."
        " The housing gets hot: wait for ten minutes.",
    ),
    (
        2,
        2,
        ("Start",),
        "1. Open the inlet valve.\n2. Fill the housing with water.\n3. Switch the pump on and wait until the gauge shows two bar.",
    ),
    (
        2,
        3,
        ("Start",),
        "If it does not within a minute, switch off and call the service, because the pump must not run dry at any time under"
        " any circumstances, not even for a test.",
    ),
    (3, 3, ("Service",), "The seal PPR-9087 is changed every 8,000 hours."),
]

MARKDOWN = """---
title: 員工手冊
---

# 員工手冊

本手冊說明請假與薪資。

## 請假

### 特別休假

滿一年者給予七日；滿三年者給予十四日。未休完者，雇主應發給工資。勞工得於年度終結前提出遞延。

### 病假

| 假別 | 天數 | 薪資 |
|---|---|---|
| 普通傷病假（未住院） | 三十日 | 半薪 |
| 普通傷病假（住院） | 一年 | 無薪 |
| 公傷病假 | 依醫囑 | 全薪 |

## 附錄
"""
MARKDOWN_PASSAGES: Golden = [
    (1, 1, ("員工手冊",), "本手冊說明請假與薪資。"),
    (
        1,
        1,
        ("員工手冊", "請假", "特別休假"),
        "滿一年者給予七日；滿三年者給予十四日。未休完者，雇主應發給工資。勞工得於年度終結前提出遞延。",
    ),
    (1, 1, ("員工手冊", "請假", "病假"), "| 假別 | 天數 | 薪資 |\n|---|---|---|\n| 普通傷病假（未住院） | 三十日 | 半薪 |"),
    (
        1,
        1,
        ("員工手冊", "請假", "病假", "| 假別 | 天數 | 薪資 |"),
        "| 普通傷病假（住院） | 一年 | 無薪 |\n| 公傷病假 | 依醫囑 | 全薪 |",
    ),
    (1, 1, ("員工手冊",), "## 附錄"),
]

WORD = docx(
    paragraph("租賃契約", style="T")
    + paragraph("租金", style="H1", num="2")
    + paragraph("每月租金為新臺幣二萬元，應於每月五日前給付。")
    + paragraph("押金", style="H1", num="2")
    + paragraph("押金為兩個月租金。")
    + paragraph("返還", num="1")
    + paragraph("抵充", num="1")
    + table([["項目", "金額"], ["租金", "20,000"], ["押金", "40,000"]])
)
WORD_PASSAGES: Golden = [
    (1, 1, ("第一條 租金",), "每月租金為新臺幣二萬元，應於每月五日前給付。"),
    (1, 1, ("第二條 押金",), "押金為兩個月租金。\n\n1. 返還\n2. 抵充"),
    (1, 1, ("第二條 押金",), "| 項目 | 金額 |\n|---|---|\n| 租金 | 20,000 |\n| 押金 | 40,000 |"),
]

PAGE = (
    "<html><head><title>Opening hours</title></head><body><nav>Home | Shop</nav><h1>Opening hours</h1><p>We are open on weekdays.</p>"
    "<h2>Exceptions</h2><ul><li>Closed on 1 May</li><li>Closed from 24 to 26 December</li></ul><footer>Imprint</footer></body></html>"
)
PAGE_PASSAGES: Golden = [
    (1, 1, ("Opening hours",), "We are open on weekdays."),
    (1, 1, ("Opening hours", "Exceptions"), "- Closed on 1 May\n- Closed from 24 to 26 December"),
]

TEXT = "第一章 總則\n\n本辦法所稱主管，指各部門經理。\n本辦法由人事室解釋之。\n\n第二章 獎懲\n\n記大功一次者，發給獎金。"
TEXT_PASSAGES: Golden = [
    (1, 1, ("第一章 總則",), "本辦法所稱主管，指各部門經理。\n本辦法由人事室解釋之。"),
    (1, 1, ("第二章 獎懲",), "記大功一次者，發給獎金。"),
]


@pytest.mark.parametrize(
    ("name", "data", "most", "expected"),
    [
        ("pdf", pdf(PDF_PAGES), 40, PDF_PASSAGES),
        ("markdown", MARKDOWN.encode(), 64, MARKDOWN_PASSAGES),
        ("docx", WORD, 40, WORD_PASSAGES),
        ("html", PAGE.encode(), 40, PAGE_PASSAGES),
        ("text", TEXT.encode("big5"), 40, TEXT_PASSAGES),
    ],
    ids=["pdf", "markdown", "docx", "html", "text"],
)
def test_golden_passages(name: str, data: bytes, most: int, expected: Golden) -> None:
    assert passages(name, data, most) == expected
