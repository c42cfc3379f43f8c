"""OpenAI-compatible routes: any chat client can ask, and finds the citations beside the text."""

import time
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from app.answering import EXTRACTIVE, Ask
from app.deps import AnsweringDep, ServicesDep
from app.limits import until_gone, with_comments
from app.questions import LONGEST_QUESTION
from app.schemas import ChatIn
from app.streams import SSE_HEADERS, chat_chunks, completion, first_of
from core.errors import BadRequest
from core.types import Turn

router = APIRouter(prefix="/v1", tags=["openai"])
MOST_TURNS = 10


class ModelOut(BaseModel):
    id: str
    object: str = "model"
    created: int = 0
    owned_by: str = "domain-qa"


class ModelsOut(BaseModel):
    object: str = "list"
    data: list[ModelOut]


@router.get("/models")
async def models(services: ServicesDep) -> ModelsOut:
    """The models a request may name, the default first. `extractive` answers with quotes alone and is always there."""
    return ModelsOut(data=[ModelOut(id=name, created=int(time.time())) for name in services.answering.models()])


@router.post("/chat/completions", response_model=None)
async def chat(body: ChatIn, request: Request, answering: AnsweringDep) -> Response:
    """The last user message is the question, earlier ones are its history; system messages are ignored. The reply carries `citations`."""
    ask = ask_of(body)
    model = ask.model or answering.models()[0]
    if body.stream:
        events = await first_of(answering.events(ask))
        stream = with_comments(chat_chunks(events, model, request.state.request_id))
        return StreamingResponse(stream, media_type="text/event-stream", headers=SSE_HEADERS)
    answer = await until_gone(request, answering.answer(ask))
    if answer is None:
        return Response(status_code=499)  # nobody is left to read it
    reply: dict[str, Any] = completion(answer, answer.model or EXTRACTIVE)
    return JSONResponse(reply)


def ask_of(body: ChatIn) -> Ask:
    """The question in a conversation. BadRequest when its last message is not a user's, or is empty or too long."""
    question = body.messages[-1].text.strip()
    if body.messages[-1].role != "user" or not 1 <= len(question) <= LONGEST_QUESTION:
        raise BadRequest(f"the last message must be the user's question, of 1 to {LONGEST_QUESTION} characters")
    turns: list[Turn] = []
    asked = ""
    for message in body.messages[:-1]:
        if message.role == "user":
            asked = message.text[:LONGEST_QUESTION]
        elif message.role == "assistant" and asked:
            turns.append(Turn(asked, message.text))
            asked = ""
    most = body.max_completion_tokens or body.max_tokens
    tokens = min(4096, max(16, most)) if most else None
    return Ask(question, body.collection, body.k, tuple(turns[-MOST_TURNS:]), body.filters.value(), body.model, body.mode, tokens)
