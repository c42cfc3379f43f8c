"""Random text of both scripts, from a seed: what a test draws is the same in every run."""

import random

HAN = "員工請假應於三日前提出申請經主管核准後生效機器濾網每年更換電壓過高學習資料庫檢索產生"
_LATIN = "the pump filter must be inspected every month server vLLM e.g. Fig. Dr. U.S. PPR-9087 1.5e-4 2,000 3.14 don't iPhone naïve"
WORDS = _LATIN.split()
WIDE_ENDS = ["。", "！", "？", "；", "！？", "……", "。」", "。）", "?", "!"]
NARROW_ENDS = [".", "!", "?", "...", '."', ".)", "?!", ";", ":"]


def han(rng: random.Random, least: int = 2, most: int = 18) -> str:
    return "".join(rng.choice(HAN) for _ in range(rng.randint(least, most)))


def sentence(rng: random.Random) -> str:
    """One sentence of either script, or of both, with its end."""
    match rng.randrange(3):
        case 0:
            return f"{han(rng)}，{han(rng)}{rng.choice(WIDE_ENDS)}"
        case 1:
            return " ".join(rng.choice(WORDS) for _ in range(rng.randint(2, 12))).capitalize() + rng.choice(NARROW_ENDS) + " "
        case _:
            return f"{han(rng)} {rng.choice(WORDS)} {han(rng)}{rng.choice(WIDE_ENDS)}"


def paragraph(rng: random.Random) -> str:
    return "".join(sentence(rng) for _ in range(rng.randint(1, 6))).strip()
