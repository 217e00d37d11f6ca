"""Small data files."""

import spacy
from spacy.tokens import DocBin, Span

from spacy_lstm_ner.data.check import RARE

NLP = spacy.blank("zh")
ORG = (0, 4, "ORG")


def write_docs(path, *texts_and_ents):
    """Write texts with their entities, as (start, end, label), to a .spacy file."""
    docs = []
    for text, *ents in texts_and_ents:
        doc = NLP.make_doc(text)
        doc.ents = [Span(doc, start, end, label) for start, end, label in ents]
        docs.append(doc)
    DocBin(docs=docs).to_disk(path)
    return path


def training_data(folder):
    """Write training data without problems."""
    texts = [(f"北京大学第{i}教授", ORG) for i in range(100, 100 + RARE)]
    return write_docs(folder / "train.spacy", *texts)
