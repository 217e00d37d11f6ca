"""Make small pipelines with the code at hand, and note what they find.

    python tests/saved/make.py tests/saved/0.1.0

Later versions have to load them and find the same (test_saved.py). Those in 0.1.0 were
made at the commit b234f71, when it was checked out: run this file there to make others,
and make a folder for each version that is released.
"""

import json
import sys
from pathlib import Path

import spacy
from spacy.training import Example
from thinc.api import Adam, fix_random_seed

from spacy_lstm_ner.data.corpus import BIOCorpus

SAMPLE = Path(__file__).parents[2] / "assets" / "sample" / "easy.json"
ENCODER = {
    "@architectures": "spacy-lstm-ner.LSTMEncoder.v1",
    "width": 16,
    "depth": 1,
    "bi": True,
}
STACK = {
    "@architectures": "spacy-lstm-ner.LSTMStackEncoder.v1",
    "width": 16,
    "linear_width": 8,
    "depth": 2,
    "bi": True,
}
EMBEDDINGS = {
    "hashed characters": {
        "@architectures": "spacy-lstm-ner.HashCharEmbed.v1",
        "width": 8,
        "rows": [200, 400],
        "ngram_dropout": 0.2,
    },
    "learned characters": {
        "@architectures": "spacy-lstm-ner.CharEmbed.v1",
        "width": 8,
        "kind": "learned",
    },
    "tokens": {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": 8,
        "rows": [200, 200],
        "attrs": ["NORM", "SHAPE"],
        "include_static_vectors": False,
    },
}
# Name of the pipeline: its embedding, its encoder, its settings.
PIPELINES = {
    "chars": ("hashed characters", ENCODER, {}),
    "stack": ("learned characters", STACK, {"alignment_mode": "strict"}),
    "tokens": ("tokens", ENCODER, {"unit": "token", "scheme": "BIO"}),
}


def main(folder: Path) -> None:
    examples = list(BIOCorpus(SAMPLE, limit=40)(spacy.blank("zh")))
    texts = [eg.text for eg in examples[:20]]
    found = {}
    folder.mkdir(parents=True)
    for name, (embed, encode, settings) in PIPELINES.items():
        fix_random_seed(0)
        nlp = spacy.blank("zh")
        tok2vec = {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": EMBEDDINGS[embed],
            "encode": encode,
        }
        model = {"@architectures": "spacy-lstm-ner.NER.v1", "tok2vec": tok2vec}
        nlp.add_pipe("lstm_ner", config={**settings, "model": model})
        nlp.initialize(lambda: examples)
        optimizer = Adam(0.02)
        for _ in range(40):
            batch = [Example(nlp.make_doc(eg.text), eg.reference) for eg in examples]
            nlp.update(batch, sgd=optimizer)
        nlp.to_disk(folder / name)
        found[name] = [
            [[ent.start_char, ent.end_char, ent.label_] for ent in doc.ents]
            for doc in nlp.pipe(texts)
        ]
    text = json.dumps({"texts": texts, "found": found}, ensure_ascii=False)
    (folder / "found.json").write_text(text + "\n", "utf8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
