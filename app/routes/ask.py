"""POST /ask: a question answered, at once or as it is written."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from app.deps import AnsweringDep
from app.limits import until_gone, with_comments
from app.schemas import AnswerOut, AskIn
from app.streams import SSE_HEADERS, ask_events, first_of

router = APIRouter(tags=["answers"])


@router.post("/ask", response_model=AnswerOut)
async def ask(body: AskIn, request: Request, answering: AnsweringDep) -> Response:
    """An answer with verbatim quotes, or an honest `no_evidence`.

    With `stream: true` Server-Sent Events: `hits`, `token` ({text}) …, `answer` (the whole object; it alone is enough), `done`;
    `error` ends the stream at any point.
    """
    if body.stream:
        events = await first_of(answering.events(body.value()))
        stream = with_comments(ask_events(events, request.state.request_id))
        return StreamingResponse(stream, media_type="text/event-stream", headers=SSE_HEADERS)
    answer = await until_gone(request, answering.answer(body.value()))
    if answer is None:
        return Response(status_code=499)  # nobody is left to read it
    return Response(AnswerOut.of(answer).model_dump_json(), media_type="application/json")
