"""Errors to HTTP, once: every error leaves as RFC 9457 `application/problem+json` with a stable type and the request id.

No stack trace, no path of this machine and no prompt leaves: the log has the cause, the reply has the remedy.
"""

import logging
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core import errors

logger = logging.getLogger(__name__)

TYPE_PREFIX = "urn:domain-qa:problem:"
_PATH = re.compile(r"(?<![\w:/.])(?:/[^\s/:'\",;]+){2,}/?")


@dataclass(frozen=True, slots=True)
class Row:
    """How one error class is answered. `retry_after_s` only where trying again may help."""

    status: int
    title: str
    retry_after_s: int | None = None


# One row a class of core/errors.py; a subclass without a row is a failing test.
ROWS: dict[type[errors.QaError], Row] = {
    errors.QaError: Row(500, "Internal error"),
    errors.BadRequest: Row(422, "The request is out of range"),
    errors.NotFound: Row(404, "Not found"),
    errors.Conflict: Row(409, "Conflict with the present state"),
    errors.EmbedderMismatch: Row(409, "The index was made with another embedder"),
    errors.Locked: Row(409, "Another process is writing", 5),
    errors.Unreadable: Row(422, "The file cannot be read"),
    errors.Damaged: Row(503, "Stored data is damaged", 30),
    errors.Unavailable: Row(503, "Not available now", 1),
    errors.GeneratorDown: Row(503, "The model server is away", 5),
    errors.GeneratorSlow: Row(503, "The model server is too slow", 5),
    errors.PackError: Row(503, "Weights are missing", 60),
    errors.DiskFull: Row(503, "No space to write", 60),
}


def problem(status: int, slug: str, title: str, detail: str, request_id: str, **more: Any) -> dict[str, Any]:
    """The body of a problem reply."""
    return {"type": TYPE_PREFIX + slug, "title": title, "status": status, "detail": detail, "request_id": request_id, **more}


def problem_of(error: errors.QaError, request_id: str) -> tuple[Row, dict[str, Any]]:
    """How an error of ours is answered. Server faults keep their detail for the log, except what an operator can mend."""
    row = next(ROWS[c] for c in type(error).__mro__ if c in ROWS)
    detail = "see the service's log" if row.status == 500 else without_paths(str(error))
    return row, problem(row.status, error.type, row.title, detail, request_id)


def without_paths(text: str) -> str:
    """`text` with absolute paths cut to their last part."""
    return _PATH.sub(lambda m: "…/" + m.group().rstrip("/").rsplit("/", 1)[-1], text)


def reply(status: int, body: dict[str, Any], retry_after_s: int | None = None, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    extra = dict(headers or {})
    if retry_after_s is not None:
        extra["Retry-After"] = str(retry_after_s)
    return JSONResponse(body, status_code=status, headers=extra, media_type="application/problem+json")


def request_id_of(request: Request) -> str:
    """The id given to this request by `limits.RequestContext`."""
    return str(getattr(request.state, "request_id", ""))


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.QaError)
    row, body = problem_of(error, request_id_of(request))
    if row.status >= 500:
        logger.error("%s id=%s %s", error.type, request_id_of(request), error)
    return reply(row.status, body, row.retry_after_s)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Where and why, but not what: the value may be long or private.
    wrong = [{"field": ".".join(str(p) for p in e["loc"][1:]), "message": e["msg"]} for e in error.errors()]
    detail = "; ".join(f"{w['field'] or 'body'}: {w['message']}" for w in wrong[:5])
    return reply(422, problem(422, "invalid-request", "The request is not valid", detail, request_id_of(request), errors=wrong))


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    slug = title.lower().replace(" ", "-")
    body = problem(error.status_code, slug, title, str(error.detail), request_id_of(request))
    return reply(error.status_code, body, headers=dict(error.headers or {}))


def install(app: FastAPI) -> None:
    """Let every error of the app leave in the one shape."""
    app.add_exception_handler(errors.QaError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
