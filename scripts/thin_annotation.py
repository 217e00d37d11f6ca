"""Remove part of the annotation of a .spacy file, to measure the effect on training."""

import random
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import spacy
import typer
from spacy.tokens import Doc, DocBin, Span

from spacy_lstm_ner.cli.exit import exit_on_error
from spacy_lstm_ner.util.atomic import atomic_write


class Gaps(str, Enum):
    """The new annotation of tokens whose annotation is removed."""

    missing = "missing"
    outside = "outside"


@exit_on_error()
def main(
    source: Annotated[Path, typer.Argument(help="A .spacy file")],
    output: Annotated[Path, typer.Argument(help="The .spacy file to write")],
    keep: Annotated[
        float, typer.Option(help="Share of the annotation to keep", min=0, max=1)
    ] = 0.5,
    gaps: Annotated[
        Gaps,
        typer.Option(
            help="missing: no annotation, as in partially annotated data; outside: not "
            "an entity, as in data with missed entities"
        ),
    ] = Gaps.missing,
    seed: Annotated[int, typer.Option(help="Seed of the random choices")] = 0,
) -> None:
    """Keep the annotation of each entity, and of each segment between two entities,
    with the probability --keep.

        python scripts/thin_annotation.py corpus/resume/train.spacy thinned.spacy
    """
    rng = random.Random(seed)
    docs = list(DocBin().from_disk(source).get_docs(spacy.blank("zh").vocab))
    for doc in docs:
        thin(doc, keep, gaps, rng)
    with atomic_write(output) as new:
        DocBin(docs=docs).to_disk(new)
    n_ents = sum(len(doc.ents) for doc in docs)
    print(f"{output}: {len(docs)} documents, {n_ents} entities left")


def thin(doc: Doc, keep: float, gaps: Gaps, rng: random.Random) -> None:
    """Remove a part of the annotation of a Doc."""
    ents = {(ent.start, ent.end): ent for ent in doc.ents}
    edges = sorted({0, len(doc)}.union(*ents))
    kept: list[Span] = []
    dropped: list[Span] = []
    for start, end in pairwise(edges):
        if rng.random() >= keep:
            dropped.append(doc[start:end])
        elif (start, end) in ents:
            kept.append(ents[start, end])
    missing = dropped if gaps == Gaps.missing else []
    doc.set_ents(kept, missing=missing, default="outside")


if __name__ == "__main__":
    typer.run(main)
