"""One standalone question out of a conversation. A first, safe version: it adds the earlier question, it never rewrites the new one."""

import re

from app.words import HAN
from core.types import Turn

LONGEST_QUESTION = 2000
_SHORT = 14  # characters of a Chinese question, or twice that of another, that hardly names its own subject
_REFERS = re.compile(
    r"[它他她牠]|這個|这个|那個|那个|這些|这些|那些|這樣|这样|上述|前者|後者|后者|該(?!如何|怎)|该(?!如何|怎)|^那|^還有|^还有|^為什麼[？?]?$|^为什么[？?]?$|呢[？?]?$"
    r"|\b(?:it|its|they|them|their|theirs|this|that|these|those|he|she|him|his|her|the (?:former|latter|same)|there)\b"
    r"|^(?:and|what about|how about|why|when|where|who|which one)\b[^.]{0,24}\??$",
    re.IGNORECASE,
)


def follows_up(question: str) -> bool:
    """Does the question lean on what was said before? Pronouns and very short questions do."""
    stripped = question.strip()
    longest = _SHORT if re.search(f"[{HAN}]", stripped) else 2 * _SHORT
    return bool(_REFERS.search(stripped)) and len(stripped) <= 6 * longest or len(stripped) <= longest // 2


def standalone_question(question: str, history: tuple[Turn, ...]) -> tuple[str, Turn | None]:
    """The question that can be searched for by itself, and the turn it refers to (None for a question of its own)."""
    if not history or not follows_up(question):
        return question, None
    earlier = history[-1]
    return f"{earlier.question.strip()} {question.strip()}"[-LONGEST_QUESTION:], earlier
