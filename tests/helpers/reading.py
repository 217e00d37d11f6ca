"""Data files that are read."""

from spacy_lstm_ner.data.files import DataFile
from spacy_lstm_ner.data.options import ReadingOptions
from spacy_lstm_ner.data.problems import ProblemLog


def read_texts(path, **options):
    """Read the texts of a file.

    RETURNS: The texts, each with its entities as (text, label), and the log.
    """
    log = ProblemLog()
    texts = [
        (text.text, [(text.text[s:e], label) for s, e, label in text.entities])
        for text in DataFile(path, ReadingOptions(**options)).texts(log)
    ]
    return texts, log


def read_with_problems(path, **options):
    """Read the texts of a file.

    RETURNS: The texts as in `read_texts`, and the problems, as (line, kind).
    """
    texts, log = read_texts(path, **options)
    problems = [problem for few in log.examples.values() for problem in few]
    return texts, [(problem.line, problem.kind) for problem in problems]
