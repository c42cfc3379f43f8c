"""Small files of every format, made here so that tests need no data from outside."""

import io
import zipfile
import zlib
from collections.abc import Sequence

import fpdf

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
OFFICE_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"


def pdf(pages: Sequence[str], *, title: str = "", author: str = "", outline: bool = True) -> bytes:
    """One page a text. A line beginning with `# ` is a large heading, and an entry of the outline."""
    document = fpdf.FPDF()
    if title:
        document.set_title(title)
    if author:
        document.set_author(author)
    for page in pages:
        document.add_page()
        for line in page.split("\n"):
            heading = line.startswith("# ")
            document.set_font("Helvetica", style="B" if heading else "", size=18 if heading else 11)
            if heading and outline:
                document.start_section(line[2:])
            document.multi_cell(0, 10 if heading else 6, line.removeprefix("# "), new_x="LMARGIN", new_y="NEXT")
    return bytes(document.output())


def encrypted_pdf(*, user_password: str) -> bytes:
    document = fpdf.FPDF()
    document.set_encryption(owner_password="owner", user_password=user_password)
    document.add_page()
    document.set_font("Helvetica", size=12)
    document.cell(text="The secret is safe.")
    return bytes(document.output())


def raw_pdf(content: bytes, filters: str = "") -> bytes:
    """A PDF of one page with this content stream, as it stands."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), f"/Filter[{filters}]".encode() if filters else b"", content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    out = b"%PDF-1.4\n"
    offsets = []
    for number, content_of in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content_of)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    end = b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(out)
    return out + b"xref\n0 6\n0000000000 65535 f \n" + table + end


def pdf_bomb(megabytes: int = 500) -> bytes:
    """A few kilobytes that unpack, twice, to a content stream of many megabytes."""
    packer = zlib.compressobj(9)
    unit = b"BT /F1 12 Tf (a) Tj ET\n" * 45_000
    once = b"".join(packer.compress(unit) for _ in range(megabytes)) + packer.flush()
    return raw_pdf(zlib.compress(once, 9), "/FlateDecode/FlateDecode")


def paragraph(text: str, *, style: str = "", num: str = "", level: int = 0) -> str:
    number = f'<w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{num}"/></w:numPr>' if num else ""
    properties = (f'<w:pStyle w:val="{style}"/>' if style else "") + number
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def table(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<w:tc>{paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


_STYLES = "".join(
    f'<w:style w:type="paragraph" w:styleId="{style_id}"><w:name w:val="{name}"/>{more}</w:style>'
    for style_id, name, more in (
        ("H1", "heading 1", ""),
        ("H2", "heading 2", ""),
        ("Mine", "Company heading", '<w:basedOn w:val="H2"/>'),
        ("Lvl", "Outlined", '<w:pPr><w:outlineLvl w:val="2"/></w:pPr>'),
        ("T", "Title", ""),
        ("LB", "List Bullet", ""),
        ("LN", "Numbered", '<w:pPr><w:numPr><w:numId w:val="1"/></w:numPr></w:pPr>'),
    )
)


def _level(number: int, form: str, text: str) -> str:
    return f'<w:lvl w:ilvl="{number}"><w:start w:val="1"/><w:numFmt w:val="{form}"/><w:lvlText w:val="{text}"/></w:lvl>'


_NUMBERING = (
    f'<w:abstractNum w:abstractNumId="0">{_level(0, "decimal", "%1.")}{_level(1, "lowerLetter", "%1.%2")}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="1">{_level(0, "taiwaneseCountingThousand", "第%1條")}</w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="2">{_level(0, "bullet", "•")}</w:abstractNum>'
    + "".join(f'<w:num w:numId="{n + 1}"><w:abstractNumId w:val="{n}"/></w:num>' for n in range(3))
)


def docx(body: str, *, title: str = "", author: str = "", extra: dict[str, bytes] | None = None, head: str = "") -> bytes:
    """A Word document of this body XML (see `paragraph` and `table`), with the styles and lists named above."""
    parts = {
        "_rels/.rels": '<Relationships xmlns="x">'
        f'<Relationship Id="r1" Type="{OFFICE_DOCUMENT}" Target="word/document.xml"/></Relationships>',
        "word/document.xml": f'{head}<w:document xmlns:w="{W}" xmlns:r="{R}"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{W}">{_STYLES}</w:styles>',
        "word/numbering.xml": f'<w:numbering xmlns:w="{W}">{_NUMBERING}</w:numbering>',
        "docProps/core.xml": f'<cp xmlns:dc="d" xmlns:t="t"><dc:title>{title}</dc:title><dc:creator>{author}</dc:creator>'
        "<t:modified>2026-05-04T03:02:01Z</t:modified></cp>",
    }
    return archive({name: text.encode() for name, text in parts.items()} | (extra or {}))


def archive(parts: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return buffer.getvalue()
