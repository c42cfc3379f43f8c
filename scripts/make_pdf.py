"""Set scripts/four_routes.toml as docs/four-routes.pdf: bilingual, with outline, page labels and metadata.

The font is Noto Sans TC (SIL Open Font License), taken as data out of a wheel that is pinned by its SHA-256; only the
glyphs used are embedded. Another font: `python scripts/make_pdf.py --font FILE.ttf`.
"""

import argparse
import hashlib
import logging
import re
import subprocess
import sys
import tempfile
import tomllib
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fpdf import FPDF
from fpdf.enums import PageLabelStyle, XPos, YPos

HERE = Path(__file__).parent
FONT_WHEEL = ("justmytype-intl-cjk==0.1.0", "06d9665542bfcad373716bb80583aa2d9bb2086a054fe11f706b9bd41e03f256")
FONT_MEMBER = "justmytype_intl_cjk/fonts/ofl/notosanstc/NotoSansTC[wght].ttf"
NOT_FIRST = set("，。、；：！？）」』》〉…—％%,.;:!?)]}·")  # never begin a line
NOT_LAST = set("（「『《〈([{")  # never end a line
BODY_PT, HEADING_PT, LINE_MM = 10.5, 15.0, 6.0


def pieces(text: str) -> Iterator[str]:
    """Parts between which a line may break: wide characters one by one, anything else by words, a space kept with its word."""
    run = ""
    for char in text:
        if unicodedata.east_asian_width(char) in "WF":
            if run:
                yield run
            run = ""
            yield char
        else:
            run += char
            if char == " ":
                yield run
                run = ""
    if run:
        yield run


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Lines of at most `width`, by `measure`, that break where both scripts allow it: `"".join(lines)` has the words of `text`."""
    lines: list[str] = []
    line: list[str] = []
    for piece in pieces(text):
        if line and measure("".join(line) + piece.rstrip()) > width:
            carried = [piece]
            while line and (carried[0][0] in NOT_FIRST or line[-1][-1] in NOT_LAST):
                carried.insert(0, line.pop())
            lines.append("".join(line).rstrip())
            line = carried
        else:
            line.append(piece)
    return [*lines, "".join(line).rstrip()] if line else lines


def _weight(weight: float) -> dict[str, float]:
    """The axis of a variable font that makes it regular (400) or bold (700)."""
    return {"wght": weight}


class Guide(FPDF):
    """A4 pages with their label at the foot."""

    label = ""

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("body", size=8)
        self.cell(0, 5, self.label, align="C")

    def paragraph(self, text: str) -> None:
        """One paragraph, line by line, so that each line is one string of the PDF and its text can be taken out in order."""
        self.set_font("body", size=BODY_PT)
        for line in wrap(text, self.epw - 1, self.get_string_width):
            self.cell(0, LINE_MM, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2.5)

    def rows(self, rows: list[list[str]]) -> None:
        """A table whose first row is its header."""
        self.set_font("body", size=BODY_PT - 1)
        widths = [max(self.get_string_width(row[column]) for row in rows) + 6 for column in range(len(rows[0]))]
        with self.table(
            width=min(self.epw, sum(widths)),
            align="LEFT",
            col_widths=tuple(widths),
            line_height=LINE_MM - 0.5,
            text_align="LEFT",
            padding=0.6,
        ) as table:
            for row in rows:
                table.row(row)
        self.ln(3)


def build(guide: dict[str, Any], font: Path, out: Path) -> int:
    """Write the PDF and return its number of pages. `guide` is the parsed TOML; raises KeyError where a part of it is missing."""
    pdf = Guide(format="A4")
    pdf.set_margins(22, 20, 22)
    pdf.set_auto_page_break(auto=True, margin=18)
    pdf.add_font("body", "", font, variations=_weight(400))
    pdf.add_font("body", "B", font, variations=_weight(700))
    pdf.set_title(guide["title"])
    pdf.set_author(guide["author"])
    pdf.set_lang("zh-TW")
    pdf.set_creation_date(datetime.combine(guide["date"], datetime.min.time(), tzinfo=UTC))
    for section in guide["section"]:
        label = section["label"]
        style, start = (PageLabelStyle.NUMBER, int(label)) if label.isdigit() else (PageLabelStyle.LOWER_ROMAN, 1)
        pdf.add_page(label_style=style, label_start=start)
        pdf.label = label  # only now: add_page has written the foot of the page before
        pdf.start_section(section["title"])
        pdf.set_font("body", "B", HEADING_PT)
        for line in wrap(section["title"], pdf.epw, pdf.get_string_width):
            pdf.cell(0, 9, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        pdf.ln(3)
        for block in re.split(r"\n\s*\n", section["text"].strip()):
            if block.startswith("|"):
                pdf.rows([[cell.strip() for cell in line.strip().strip("|").split("|")] for line in block.splitlines()])
            else:
                pdf.paragraph(" ".join(block.split("\n")))
    pdf.output(str(out))
    return len(pdf.pages)


def fetch_font(folder: Path) -> Path:
    """The pinned font, taken out of its wheel into `folder`. Raises SystemExit when it cannot be had or its hash differs."""
    requirement, sha256 = FONT_WHEEL
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
        requirement,
    ]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"{requirement} cannot be downloaded; give a TrueType font with --font FILE")
    wheel = next(folder.glob("*.whl"))
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != sha256:
        raise SystemExit(f"{wheel.name} is not the file expected (SHA-256 differs); nothing was written")
    with zipfile.ZipFile(wheel) as archive:
        font = folder / "font.ttf"
        font.write_bytes(archive.read(FONT_MEMBER))
    return font


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", type=Path, help="TrueType font with Traditional Chinese and a weight axis")
    parser.add_argument("--out", type=Path, default=HERE.parent / "docs" / "four-routes.pdf")
    args = parser.parse_args()
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    with (HERE / "four_routes.toml").open("rb") as file:
        guide = tomllib.load(file)
    with tempfile.TemporaryDirectory() as folder:
        count = build(guide, args.font or fetch_font(Path(folder)), args.out)
    sys.stdout.write(f"{args.out}: {count} pages, {args.out.stat().st_size // 1024} KB\n")


if __name__ == "__main__":
    main()
