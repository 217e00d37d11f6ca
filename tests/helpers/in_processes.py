"""Run a pipeline in several processes, for test_processes.py, which starts this module:

python -m tests.helpers.in_processes METHOD PIPELINE TEXTS
"""

import json
import multiprocessing
import sys

import spacy


def found(doc):
    """The entities in all span groups, with their probabilities."""
    return [
        [
            (span.start_char, span.end_char, span.label_, round(score, 3))
            for span, score in zip(group, group.attrs["scores"], strict=True)
        ]
        for group in (doc.spans[key] for key in sorted(doc.spans))
    ]


if __name__ == "__main__":
    method, pipeline, texts = sys.argv[1:]
    multiprocessing.set_start_method(method)
    nlp = spacy.load(pipeline)
    texts = json.loads(texts)
    alone, shared = (
        [found(doc) for doc in nlp.pipe(texts, n_process=n, batch_size=8)]
        for n in (1, 2)
    )
    different = sum(a != b for a, b in zip(alone, shared, strict=True))
    print(f"{different} of {len(texts)} texts differ")
    print("entities:", [sum(map(len, groups)) for groups in zip(*shared, strict=True)])
