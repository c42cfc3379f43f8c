"""GET /: the page that asks. It loads nothing from elsewhere and runs no inline script."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from core.errors import NotFound

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).resolve().parent.parent / "static"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {"page.js": "text/javascript", "page.css": "text/css", "icon.svg": "image/svg+xml"}


@router.get("/")
async def page() -> FileResponse:
    """Ask, read the answer, see the quotes."""
    return FileResponse(
        STATIC / "index.html", media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    )


@router.get("/static/{name}")
async def static(name: str) -> FileResponse:
    """The page's script and style, by a fixed table: no name reaches the file system."""
    if name not in TYPES:
        raise NotFound("there is no such file")
    return FileResponse(STATIC / name, media_type=TYPES[name], headers={"Cache-Control": "no-cache"})
