"""A pipeline, and data that it was not trained on."""

from pathlib import Path

import spacy
from spacy.language import Language
from spacy.tokens import DocBin

from spacy_lstm_ner.data.corpus import BIOCorpus

from .paths import EASY

NLP = spacy.blank("zh")


def save_held_out(trained: Language, folder: Path) -> Path:
    """Save the pipeline as model/, its training data as train.spacy, and sentences that
    it was not trained on as data.spacy."""
    trained.to_disk(folder / "model")
    reader = BIOCorpus(EASY, limit=260)
    docs = [eg.reference for eg in reader(NLP)]
    DocBin(docs=docs[60:]).to_disk(folder / "data.spacy")
    DocBin(docs=docs[:60]).to_disk(folder / "train.spacy")
    return folder
