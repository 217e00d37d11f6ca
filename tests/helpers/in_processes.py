"""A script that test_processes.py runs, since `spawn` requires a main module:

python -m tests.helpers.in_processes METHOD PIPELINE TEXTS
"""

import json
import multiprocessing
import sys

import spacy


def found(doc):
    """The entities of both components, with their probabilities."""
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
    one_process, two_processes = (
        [found(doc) for doc in nlp.pipe(texts, n_process=n, batch_size=8)]
        for n in (1, 2)
    )
    different = sum(a != b for a, b in zip(one_process, two_processes, strict=True))
    print(f"{different} of {len(texts)} texts differ")
    print(
        "entities:",
        [sum(map(len, groups)) for groups in zip(*two_processes, strict=True)],
    )
