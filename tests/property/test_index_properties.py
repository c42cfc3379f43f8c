"""Fusion, folding and terms over random input, and a collection against what was put into it."""

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import opencc
import pytest

from core.types import Document
from index.fakes import FakeEmbedder
from index.fusion import fuse
from index.ledger import Ledger
from index.search import Collection
from index.tokens import fold, terms
from index.writer import Writer
from tests.property.text import han, paragraph, sentence
from tests.unit.index.corpus import entry, published

IDENTIFIERS = ["PPR-9087", "v2.5.1", "ISO/IEC-27001", "user_id", "a@b.example", "§38-1", "X100", "qa-api.internal"]


def legs(rng: random.Random) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    n = rng.randint(1, 40)
    dense = np.array([rng.uniform(-1, 1) for _ in range(n)], dtype=np.float32)
    lexical = np.array([rng.choice([0.0, rng.uniform(0, 30)]) for _ in range(n)], dtype=np.float32)
    return dense, lexical, {"weight": rng.choice([0.0, rng.uniform(0.1, 60)]), "speaks": rng.random(), "spread": rng.uniform(0.01, 0.2)}


@pytest.mark.parametrize("seed", range(10))
def test_a_fused_score_is_a_finite_share_whatever_the_legs_say(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        dense, lexical, given = legs(rng)
        fused = fuse(dense, lexical, **given)
        assert fused.shape == dense.shape
        assert np.isfinite(fused).all()
        assert ((fused >= 0) & (fused <= 1)).all()


@pytest.mark.parametrize("seed", range(10))
def test_legs_that_agree_keep_their_order_and_a_silent_one_leaves_the_other(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(40):
        dense, lexical, given = legs(rng)
        order = np.argsort(dense, kind="stable")
        agreeing = np.empty_like(lexical)
        agreeing[order] = np.sort(lexical)
        for words in (agreeing, np.zeros_like(lexical)):
            assert (np.diff(fuse(dense, words, **given)[order]) >= 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_folding_twice_is_folding_once_and_scripts_and_widths_fold_alike(seed: int) -> None:
    rng = random.Random(seed)
    simplify = opencc.OpenCC("t2s")
    for _ in range(30):
        text = "".join(sentence(rng) for _ in range(3))
        wide = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)
        assert fold(fold(text)) == fold(text)
        assert fold(simplify.convert(text)) == fold(text)
        assert fold(wide) == fold(text) == fold(text.upper())


@pytest.mark.parametrize("seed", range(10))
def test_a_passage_has_the_terms_of_each_identifier_and_han_run_in_it(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        named, run = rng.choice(IDENTIFIERS), han(rng, 2, 8)
        found = terms(f"{paragraph(rng)} {named} {paragraph(rng)}，{run}，")
        assert set(terms(named)) <= set(found)
        assert {fold(run)[i : i + 2] for i in range(len(run) - 1)} <= set(found)
        assert all(0 < len(term) <= 64 for term in found)


def corpus(rng: random.Random) -> dict[str, str]:
    return {
        f"{n}.md": "\n".join(f"{paragraph(rng)} 編號{rng.randrange(9)}" for _ in range(rng.randint(1, 4))) for n in range(rng.randint(1, 6))
    }


@pytest.mark.parametrize("seed", range(4))
def test_the_ledger_gives_back_exactly_what_was_put(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    tags = ["", "\u3000", "🦆", "e\u0301", '"', "'; --"]
    put = [entry(s, t, title=rng.choice(["", "標題"]), metadata={"tag": rng.choice(tags)}) for s, t in corpus(rng).items()]
    put = [
        replace(e, passages=[replace(p, headings=tuple(rng.sample(tags, 2)), page_last=rng.randint(1, 9)) for p in e.passages]) for e in put
    ]
    with Writer.open(tmp_path / "c", FakeEmbedder(), chunker="1") as writer:
        writer.put(put)
        number = writer.publish()
    assert number is not None
    ledger = Ledger(tmp_path / "c" / "ledger.sqlite")
    documents: list[Document] = [ledger.document(row[0]) for row in ledger.revision_documents(number)]
    assert sorted(documents, key=lambda d: d.source) == sorted((e.document for e in put), key=lambda d: d.source)
    passages = sorted((row[3] for row in ledger.rows()), key=lambda p: p.id)
    assert passages == sorted((p for e in put for p in e.passages), key=lambda p: p.id)
    ledger.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_collection_changed_step_by_step_answers_as_one_made_at_once(tmp_path: Path, seed: int) -> None:
    rng, embedder = random.Random(seed), FakeEmbedder()
    last = corpus(rng)
    for state in (corpus(rng), corpus(rng), last):
        published(tmp_path / "grown", embedder, state)
    published(tmp_path / "fresh", embedder, last)
    grown, fresh = (Collection.open(tmp_path / name, embedder) for name in ("grown", "fresh"))
    for _ in range(5):
        asked = rng.choice(rng.choice(list(last.values())).split("\n"))
        found = [{h.passage.id: round(h.scores.fused, 4) for h in c.search(asked, k=50).hits} for c in (grown, fresh)]
        assert found[0] == found[1]
        assert asked in [h.passage.text for h in grown.search(asked, k=3).hits]
    grown.close()
    fresh.close()
