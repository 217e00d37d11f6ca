"""The annotation of Docs whose entities may overlap: in a span group."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from spacy.tokens import Doc, Span

from ..tags import Span as PlainSpan
from ..tags.nesting import nest

# Values of ent_iob. A token with B and no label is blocked: it is in no entity.
_IOB_MISSING, _IOB_BEGIN = 0, 3
_MAX_EXAMPLES = 3


def annotated_spans(doc: Doc, spans_key: str | None) -> list[Span]:
    """The annotated entities of a Doc.

    spans_key: The span group with all entities. Where a Doc does not have it, as in
        data without overlapping entities, they are those in ``doc.ents``. None: they
        are in ``doc.ents``.
    """
    if spans_key is not None and spans_key in doc.spans:
        return list(doc.spans[spans_key])
    return list(doc.ents)


def unknown_tokens(doc: Doc, spans_key: str | None) -> np.ndarray:
    """The tokens of a Doc whose annotation is missing: those without a value in
    ``token.ent_iob``, and blocked ones. If no token has one, and there is a span group,
    nothing is missing: tools that write only the group know nothing of ``doc.ents``.

    spans_key: See `annotated_spans`.
    RETURNS: (tokens,) bool.
    """
    iob, label = doc.to_array(["ENT_IOB", "ENT_TYPE"]).reshape((-1, 2)).T
    if spans_key is not None and spans_key in doc.spans and not iob.any():
        return np.zeros(len(doc), dtype=bool)
    unknown: np.ndarray = (iob == _IOB_MISSING) | ((iob == _IOB_BEGIN) & (label == 0))
    return unknown


@dataclass
class NestingStatistics:
    """How deeply entities of one label are nested, in a data set.

    by_layer: The number of entities in each layer: outermost, inside of one other
        entity of its label, and so on.
    n_crossing: The number of entities that are in no layer, since they cross a longer
        one of their label.
    crossing: The first few of them, with their labels.
    """

    by_layer: list[int] = field(default_factory=list)
    n_crossing: int = 0
    crossing: list[str] = field(default_factory=list)

    def add(self, doc: Doc, spans_key: str | None) -> None:
        """Count the entities of a Doc."""
        by_label: dict[str, list[PlainSpan]] = {}
        for span in annotated_spans(doc, spans_key):
            plain = PlainSpan(span.start, span.end, span.label_)
            by_label.setdefault(span.label_, []).append(plain)
        for label, spans in by_label.items():
            nesting = nest(spans)
            for layer in nesting.layer:
                self.by_layer += [0] * (layer + 1 - len(self.by_layer))
                self.by_layer[layer] += 1
            self.n_crossing += len(nesting.crossing)
            for start, end, _ in nesting.crossing[: _MAX_EXAMPLES - len(self.crossing)]:
                self.crossing.append(f"{label} {doc[start:end].text[:20]!r}")

    def deeper_than(self, depth: int) -> int:
        """The number of entities inside of at least `depth` others of their label."""
        return sum(self.by_layer[depth:])


def nesting_statistics(docs: Iterable[Doc], spans_key: str | None) -> NestingStatistics:
    """Count how deeply entities are nested."""
    statistics = NestingStatistics()
    for doc in docs:
        statistics.add(doc, spans_key)
    return statistics
