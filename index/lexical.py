"""Passages by their words: BM25 of tantivy over terms that `index.tokens` makes. tantivy itself only splits at spaces."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tantivy
from tantivy import Occur, Query

from core.errors import Damaged
from index.records import Vectors
from index.tokens import question_terms, terms
from index.vectors import Rows

_HEAP = 64_000_000  # bytes of the writer's buffer


@dataclass(frozen=True, slots=True)
class QueryTerms:
    """A question's terms with their weight in this index. `weights` is idf > 0; `known` are the terms that some passage has."""

    weights: Mapping[str, float]
    known: frozenset[str]

    @property
    def weight(self) -> float:
        """Summed weight of all the question's terms."""
        return sum(self.weights.values())

    @property
    def share_known(self) -> float:
        """Share of the question's weight whose terms exist in the index, 0..1."""
        total = self.weight
        return sum(self.weights[t] for t in self.known) / total if total else 0.0

    def share_in(self, found: Iterable[str]) -> float:
        """Share of the question's weight that occurs among the terms `found`, 0..1."""
        total = self.weight
        return sum(self.weights[t] for t in self.weights.keys() & set(found)) / total if total else 0.0


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", stored=False, tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    builder.add_unsigned_field("document", stored=False, indexed=True, fast=False)
    return builder.build()


class LexicalIndex:
    """Immutable once built; any number of threads may search."""

    def __init__(self, index: tantivy.Index) -> None:
        index.config_reader("manual")
        self._schema = index.schema
        self._searcher = index.searcher()

    @classmethod
    def build(cls, folder: Path, passages: Iterable[tuple[str, int]]) -> "LexicalIndex":
        """Write (text, document number) of each row, in order, to `folder`, as one segment."""
        folder.mkdir(parents=True)
        index = tantivy.Index(_schema(), path=str(folder))
        writer = index.writer(_HEAP, 1)
        for row, (text, document) in enumerate(passages):
            entry = tantivy.Document()
            entry.add_text("terms", " ".join(terms(text)))
            entry.add_unsigned("row", row)
            entry.add_unsigned("document", document)
            writer.add_document(entry)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        return cls(index)

    @classmethod
    def load(cls, folder: Path) -> "LexicalIndex":
        try:
            return cls(tantivy.Index.open(str(folder)))
        except ValueError as error:
            raise Damaged(f"{folder} is not a lexical index: {error}") from error

    @property
    def count(self) -> int:
        return int(self._searcher.num_docs)

    def query_terms(self, question: str) -> QueryTerms:
        """The question's distinct terms and their weights; a term that no passage has weighs the most."""
        count = self.count
        frequencies = {term: self._searcher.doc_freq("terms", term) for term in question_terms(question)}
        weights = {term: math.log(1 + (count - df + 0.5) / (df + 0.5)) for term, df in frequencies.items()}
        return QueryTerms(weights, frozenset(term for term, df in frequencies.items() if df))

    def search(
        self,
        asked: QueryTerms,
        k: int,
        documents: Sequence[int] | None = None,
        excluded: Sequence[int] = (),
        rows: Sequence[int] | None = None,
    ) -> tuple[Rows, Vectors]:
        """Row numbers and BM25 scores (> 0) of the k best passages that have a term asked for, best first.

        Restricted to `documents` (numbers) when given, never of `excluded` documents; with `rows`, only those rows are scored.
        """
        if not asked.known or k <= 0 or self.count == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        words = Query.boolean_query([(Occur.Should, Query.term_query(self._schema, "terms", t, "freq")) for t in sorted(asked.known)])
        clauses = [(Occur.Must, words)]
        for field, values in (("document", documents), ("row", rows)):
            if values is not None:
                one_of = Query.term_set_query(self._schema, field, [int(v) for v in values])
                clauses.append((Occur.Must, Query.const_score_query(one_of, 0.0)))
        if len(excluded):
            clauses.append((Occur.MustNot, Query.term_set_query(self._schema, "document", [int(v) for v in excluded])))
        found = self._searcher.search(Query.boolean_query(clauses) if len(clauses) > 1 else words, min(k, self.count), count=False).hits
        numbers = self._searcher.fast_field_values("row", [address for _, address in found])
        return np.array(numbers, dtype=np.int64), np.array([score for score, _ in found], dtype=np.float32)
